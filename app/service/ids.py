"""Ids of answers: they sort by time, and none can be guessed from another."""

from ulid import PureRandomPolicy, ULIDGenerator

_random = ULIDGenerator(policy=PureRandomPolicy())  # the usual policy counts on within a millisecond


def new_id() -> str:
    """A ULID with 80 random bits: who is not told of it does not find what is kept under it."""
    return str(_random.generate())
