"""HTTP, asked of a real server with small real networks."""
