"""The trainer: its losses, its data, its schedules, and that a killed run goes on as if nothing had happened."""
