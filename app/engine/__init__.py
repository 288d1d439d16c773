"""Owns a device: one thread does all gradient work on it, so the event loop never waits and nothing competes."""
