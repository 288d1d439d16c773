"""The benchmark: that it compares like with like. Nothing here is held to a time."""
