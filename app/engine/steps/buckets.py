"""Batches of any size out of a few sizes that were compiled."""

from collections.abc import Iterator, Sequence
from functools import cache

ROWS_A_CALL_COSTS = 1
"""What a call costs beside its rows, in rows. Measured for ResNet-44 by openvino on the CPU: 3.3 ms + 3.6 ms a row."""


@cache
def plan(rows: int, buckets: Sequence[int]) -> tuple[int, ...]:
    """The buckets that together hold `rows` rows at the least cost, largest first; only the last has room to spare."""
    largest = max(buckets)
    whole, rest = divmod(rows, largest)
    return (largest,) * whole + _cheapest(rest, tuple(sorted(buckets)))[1]


@cache
def _cheapest(rows: int, buckets: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    if rows == 0:
        return 0, ()
    ways = []
    for bucket in buckets:
        cost, others = _cheapest(max(0, rows - bucket), buckets)
        ways.append((cost + bucket + ROWS_A_CALL_COSTS, (bucket, *others)))
        if bucket >= rows:
            break
    cost, chosen = min(ways)
    return cost, tuple(sorted(chosen, reverse=True))


def slices(rows: int, buckets: Sequence[int]) -> Iterator[tuple[int, slice]]:
    """(bucket, the rows that go into it), for all rows in order."""
    begin = 0
    for bucket in plan(rows, tuple(buckets)):
        yield bucket, slice(begin, min(begin + bucket, rows))
        begin += bucket
