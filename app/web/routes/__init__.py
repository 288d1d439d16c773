"""Routes, one file a resource: each parses, calls once, answers."""
