"""What was found, as lines of a table: a figure, what it is held against, and the ratio that was to be reached."""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """A ratio to reach, `at_least` or else at most `limit`."""

    limit: float
    at_least: bool = True

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"

    def met(self, ratio: float) -> bool:
        """Whether it is reached; NaN never is."""
        return ratio >= self.limit if self.at_least else ratio <= self.limit


@dataclass(frozen=True)
class Line:
    """One comparison.

    Attributes:
        what: is measured.
        ours, peers: the two figures, in `unit`.
        peer: what ours is held against.
        ratio: how they compare, as the goal means it.
        goal: None where nothing was set.
    """

    what: str
    ours: float
    peers: float
    unit: str
    peer: str
    ratio: float
    goal: Goal | None = None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is, None where there is none."""
        return None if self.goal is None else self.goal.met(self.ratio)


@dataclass(frozen=True)
class Findings:
    """What one part of the benchmark found; `measured` is all of it, in plain JSON values."""

    lines: tuple[Line, ...]
    measured: Mapping[str, object]


def times_faster(what: str, ours_seconds: float, peers_seconds: float, peer: str, goal: Goal | None = None) -> Line:
    """How many times the peer's time ours goes into; shown in milliseconds."""
    return Line(what, 1000 * ours_seconds, 1000 * peers_seconds, "ms", peer, peers_seconds / ours_seconds, goal)


def share_of(what: str, ours: float, peers: float, unit: str, peer: str, goal: Goal | None = None) -> Line:
    """Ours as a share of the peer's; NaN of nothing."""
    return Line(what, ours, peers, unit, peer, ours / peers if peers else math.nan, goal)


def as_json(line: Line) -> Mapping[str, object]:
    """A line as plain values; JSON has no NaN."""
    return {
        "what": line.what,
        "ours": line.ours,
        "peers": line.peers,
        "unit": line.unit,
        "peer": line.peer,
        "ratio": line.ratio if math.isfinite(line.ratio) else None,
        "to_reach": None if line.goal is None else str(line.goal),
        "reached": line.reached,
    }
