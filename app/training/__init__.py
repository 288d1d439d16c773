"""Offline: from images to a robust checkpoint. Nothing of the running service imports this."""
