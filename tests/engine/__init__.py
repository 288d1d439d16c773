"""The engine: who is let in, which rows share a step, what becomes of each, and the thread that makes it so."""
