"""Who may come in: bounded requests, memory and waiting; who may not is told when to come again. Pure logic."""

import math
import threading
from dataclasses import dataclass

from app.errors import EngineFull

_MEMORY_SECONDS = 10.0  # of device time, after which a measurement of its rate counts for a third


@dataclass(frozen=True)
class Bounds:
    """What may be inside an engine at once. A request that finds nobody else inside is let in whatever it costs.

    Attributes:
        places: requests.
        max_held_bytes: of all requests' rows between their steps.
        max_wait_seconds: of device time, that may be spent on others before a newcomer is done.
    """

    places: int
    max_held_bytes: int
    max_wait_seconds: float

    def __post_init__(self) -> None:
        if self.places < 1:
            raise ValueError(f"an engine of {self.places} places can do no work: give at least 1")


class Meter:
    """How fast the device lately was at one kind of work. One thread measures, any may ask."""

    def __init__(self) -> None:
        self._measured = (0.0, 0.0)

    def measured(self, cost: float, seconds: float) -> None:
        """Learn that so much cost took so long; what was learnt before fades."""
        before_cost, before_seconds = self._measured
        kept = math.exp(-seconds / _MEMORY_SECONDS)
        self._measured = before_cost * kept + cost, before_seconds * kept + seconds

    def seconds_of(self, cost: float) -> float:
        """How long so much is likely to take; 0 before anything was measured."""
        measured_cost, measured_seconds = self._measured
        return cost * measured_seconds / measured_cost if measured_cost else 0.0


class Reservation:
    """What one request may still cost, of work that `meter` measures; `spend` is called as its rows are worked on."""

    def __init__(self, cost: float, held_bytes: int, meter: Meter) -> None:
        self.left = cost
        self.held_bytes = held_bytes
        self._meter = meter

    @property
    def seconds_left(self) -> float:
        """Of device time, as far as anybody knows."""
        return self._meter.seconds_of(self.left)

    def spend(self, cost: float) -> None:
        self.left = max(0.0, self.left - cost)


class Admission:
    """Counts what is inside. Its methods may be called from any thread."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._inside: set[Reservation] = set()
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        return len(self._inside)

    def enter(self, reservation: Reservation) -> None:
        """Let a request in.

        Raises:
            EngineFull: there is no room; says when there may be.
        """
        with self._lock:
            self._require_room(reservation)
            self._inside.add(reservation)

    def leave(self, reservation: Reservation) -> None:
        with self._lock:
            self._inside.discard(reservation)

    def retry_after_seconds(self) -> int:
        """When the next request is likely to leave, at least 1."""
        with self._lock:
            return _whole(self._seconds_until_one_leaves())

    def _require_room(self, newcomer: Reservation) -> None:
        if not self._inside:
            return
        if len(self._inside) >= self.bounds.places:
            raise _full(f"All {self.bounds.places} places are taken", self._seconds_until_one_leaves())
        if newcomer.held_bytes + sum(one.held_bytes for one in self._inside) > self.bounds.max_held_bytes:
            raise _full("The memory for images being worked on is taken", self._seconds_until_one_leaves())
        too_long = self._seconds_before(newcomer.seconds_left) - self.bounds.max_wait_seconds
        if too_long > 0:
            raise _full("The queue is longer than this installation lets anybody wait", too_long)

    def _seconds_before(self, seconds: float) -> float:
        """Device time that goes to others until a newcomer had so much of it: all are served alike, side by side."""
        return sum(min(one.seconds_left, seconds) for one in self._inside)

    def _seconds_until_one_leaves(self) -> float:
        return len(self._inside) * min((one.seconds_left for one in self._inside), default=0.0)


def _full(why: str, seconds: float) -> EngineFull:
    wait = _whole(seconds)
    return EngineFull(f"{why}; come again in about {wait} s.", wait)


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))
