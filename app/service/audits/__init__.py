"""Attacks on explanations: what the service audits, asked through the engine, and drawn."""
