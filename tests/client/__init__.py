"""The client, against a real server, both as one waits for it and as one awaits it."""
