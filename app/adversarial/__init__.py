"""The mathematics: one loop that explains, attacks and trains. Needs torch, and of this project only errors."""
