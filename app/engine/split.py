"""Do something for many at once; where that fails, for fewer, so that one at fault fails alone."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import torch

Each = TypeVar("Each")


def in_parts(rows: Sequence[Each], work: Callable[[Sequence[Each]], None]) -> tuple[dict[Each, Exception], int | None]:
    """Call `work` with all rows; where it raises, with either half of them, down to single rows.

    Args:
        rows: one or more.
        work: keeps what it came to only once nothing can fail any more: it is called again for the rows of a failure.

    Returns:
        The error of each row that fails alone, and the largest part that memory sufficed for where it did not for all.
    """
    failures: dict[Each, Exception] = {}
    waiting = [rows]
    out_of_memory, fitted = False, 0
    while waiting:
        part = waiting.pop()
        error = _attempt(work, part)
        if error is None:
            fitted = max(fitted, len(part))
            continue
        if is_out_of_memory(error):
            out_of_memory = True
            _give_back()
        if len(part) == 1:
            failures[part[0]] = error
        else:
            half = len(part) // 2
            waiting += [part[half:], part[:half]]
    return failures, fitted if out_of_memory else None


def is_out_of_memory(error: Exception) -> bool:
    """Whether memory did not suffice; on a CPU, torch says so by a plain RuntimeError."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)


def _attempt(work: Callable[[Sequence[Each]], None], part: Sequence[Each]) -> Exception | None:
    try:
        work(part)
    except Exception as error:  # noqa: BLE001 - a network is anybody's code; its rows are told, the thread goes on
        if len(part) > 1 or is_out_of_memory(error):
            return error.with_traceback(None)  # whose frames hold on to the memory that the next attempt needs
        return error
    return None


def _give_back() -> None:
    torch.cuda.empty_cache()  # nothing where no GPU was used
