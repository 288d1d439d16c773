"""Memory that is free within this process, given back to the system."""

import ctypes
from contextlib import suppress


def give_back_freed_memory() -> None:
    """Return what glibc holds of freed blocks: those of a large picture are kept otherwise, and others get new ones.

    It takes some milliseconds for each gigabyte. Elsewhere than under glibc nothing is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
