"""The mathematics: one loop that explains, attacks and trains. Needs torch and nothing else of this project but errors."""
