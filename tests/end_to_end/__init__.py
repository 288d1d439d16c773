"""The real server process, with the model that ships, over real HTTP."""
