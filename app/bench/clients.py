"""Several clients at once, each of which asks anew as soon as it has its answer.

A client is a work: it asks for the n-th time, and waits for the answer. One thread calls it.
"""

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count

from app.bench.timing import Work


@dataclass(frozen=True)
class Round:
    """What came of some clients' asking.

    Attributes:
        seconds: from the first question to the last answer.
        latencies: seconds of each answer.
    """

    seconds: float
    latencies: Sequence[float]

    @property
    def per_second(self) -> float:
        """Answers."""
        return len(self.latencies) / self.seconds


def ask_for(seconds: float, clients: Sequence[Work]) -> Round:
    """Let each client ask until the time is over, at least once, and wait for what it asked last."""
    deadline = time.perf_counter() + seconds

    def numbers(client: int) -> Iterator[int]:
        yield client
        for turn in count(1):
            if time.perf_counter() >= deadline:
                return
            yield client + turn * len(clients)

    return _ask(clients, [numbers(client) for client in range(len(clients))])


def ask_in_all(requests: range, clients: Sequence[Work]) -> Round:
    """Let the clients ask these between them, in turns."""
    return _ask(clients, [iter(requests[client :: len(clients)]) for client in range(len(clients))])


def _ask(clients: Sequence[Work], numbers: Sequence[Iterator[int]]) -> Round:
    began = time.perf_counter()
    with ThreadPoolExecutor(len(clients)) as threads:
        asking = [threads.submit(partial(_ask_each, *one)) for one in zip(clients, numbers, strict=True)]
        latencies = [seconds for one in asking for seconds in one.result()]
    return Round(time.perf_counter() - began, latencies)


def _ask_each(ask: Work, numbers: Iterator[int]) -> list[float]:
    latencies = []
    for number in numbers:
        began = time.perf_counter()
        ask(number)
        latencies.append(time.perf_counter() - began)
    return latencies
