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


class Reservation:
    """What one request may still cost; `spend` is called as its rows are worked on."""

    def __init__(self, cost: float, held_bytes: int) -> None:
        self.left = cost
        self.held_bytes = held_bytes

    def spend(self, cost: float) -> None:
        self.left = max(0.0, self.left - cost)


class Admission:
    """Counts what is inside, and measures how fast it is worked off. Its methods may be called from any thread."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self._inside: set[Reservation] = set()
        self._cost = 0.0
        self._seconds = 0.0
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        return len(self._inside)

    @property
    def cost_per_second(self) -> float | None:
        """Lately measured, or None before anything was."""
        return self._cost / self._seconds if self._seconds else None

    def measured(self, cost: float, seconds: float) -> None:
        """Learn that so much cost took so long on the device; what was learnt before fades."""
        with self._lock:
            kept = math.exp(-seconds / _MEMORY_SECONDS)
            self._cost = self._cost * kept + cost
            self._seconds = self._seconds * kept + seconds

    def enter(self, cost: float, held_bytes: int) -> Reservation:
        """Reserve for a request.

        Raises:
            EngineFull: there is no room; says when there may be.
        """
        with self._lock:
            self._require_room(cost, held_bytes)
            reservation = Reservation(cost, held_bytes)
            self._inside.add(reservation)
            return reservation

    def leave(self, reservation: Reservation) -> None:
        with self._lock:
            self._inside.discard(reservation)

    def retry_after_seconds(self) -> int:
        """When the next request is likely to leave, at least 1."""
        return _whole(self._seconds_until_one_leaves())

    def _require_room(self, cost: float, held_bytes: int) -> None:
        if not self._inside:
            return
        if len(self._inside) >= self.bounds.places:
            raise _full(f"All {self.bounds.places} places are taken", self._seconds_until_one_leaves())
        if held_bytes + sum(one.held_bytes for one in self._inside) > self.bounds.max_held_bytes:
            raise _full("The memory for images being worked on is taken", self._seconds_until_one_leaves())
        too_long = self._seconds_before(cost) - self.bounds.max_wait_seconds
        if too_long > 0:
            raise _full("The queue is longer than this installation lets anybody wait", too_long)

    def _seconds_before(self, cost: float) -> float:
        """Device time that goes to others until a request of this cost is done: all are served alike, side by side."""
        return self._seconds_of(sum(min(one.left, cost) for one in self._inside))

    def _seconds_until_one_leaves(self) -> float:
        return self._seconds_of(len(self._inside) * min((one.left for one in self._inside), default=0.0))

    def _seconds_of(self, cost: float) -> float:
        rate = self.cost_per_second
        return cost / rate if rate else 0.0


def _full(why: str, seconds: float) -> EngineFull:
    wait = _whole(seconds)
    return EngineFull(f"{why}; come again in about {wait} s.", wait)


def _whole(seconds: float) -> int:
    return max(1, math.ceil(seconds))
