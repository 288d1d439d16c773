"""Attacks of a fixed size."""
