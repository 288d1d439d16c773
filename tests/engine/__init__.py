"""The engine: bounded places, one thread in order of arrival, and leaving at once when asked to."""
