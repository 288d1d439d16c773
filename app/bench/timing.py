"""Seconds of several works, taken in turns: what else the machine does meanwhile, it does to all of them."""

import time
from collections.abc import Callable, Mapping, Sequence
from statistics import median

import torch

from app.engine.flops import settle

Work = Callable[[int], object]
"""Does its n-th round; what it returns is not looked at."""

Seconds = Mapping[str, Sequence[float]]
"""Of each work, by its name, in the order of rounds."""

Tell = Callable[[str, int, int], None]
"""Called with (what is measured, done, of)."""


def side_by_side(
    works: Mapping[str, Work], rounds: int, device: torch.device, tell: Callable[[int], None] = lambda done: None
) -> Seconds:
    """Every work once in every round, after one that is not counted; each round begins with another work.

    Args:
        works: by name.
        rounds: that are counted.
        device: whose queue is waited for, so that what was merely begun counts as well.
        tell: told how many rounds are done.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for work in works.values():
        _timed(work, 0, device)
    names = list(works)
    for number in range(rounds):
        for name in names:
            seconds[name].append(_timed(works[name], number, device))
        names = [*names[1:], names[0]]
        tell(number + 1)
    return seconds


def medians(seconds: Seconds) -> dict[str, float]:
    """The median of each."""
    return {name: median(taken) for name, taken in seconds.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the values, one or more, that at least this share of them does not exceed."""
    ordered = sorted(values)
    return next(value for place, value in enumerate(ordered, start=1) if place >= share * len(ordered))


def _timed(work: Work, number: int, device: torch.device) -> float:
    settle(device)
    began = time.perf_counter()
    work(number)
    settle(device)
    return time.perf_counter() - began
