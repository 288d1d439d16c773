"""A listener that keeps what it is told, and sums it up."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from app.engine.telemetry import Event, Outcome, PlaceLeft, RowsAsked, RowsEnded, StepMade

Key = TypeVar("Key", bound=Hashable)


@dataclass
class Heard:
    """Everything that was told, in order."""

    events: list[Event] = field(default_factory=list)

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    @property
    def asked_rows(self) -> Counter[tuple[str, str]]:
        """Rows that came in, by model and kind."""
        return _sum({(e.model.name, e.kind): e.rows} for e in self.events if isinstance(e, RowsAsked))

    @property
    def ended_rows(self) -> Counter[tuple[str, str]]:
        """Rows that went out, by model and kind."""
        return _sum({(e.model.name, e.kind): e.rows} for e in self.events if isinstance(e, RowsEnded))

    @property
    def outcomes(self) -> Counter[Outcome]:
        """Rows that went out, by how."""
        return _sum({e.outcome: e.rows} for e in self.events if isinstance(e, RowsEnded))

    @property
    def made_rows(self) -> Counter[str]:
        """Rows of steps that came to something, by kind."""
        return _sum({e.kind: e.rows - e.failed} for e in self.events if isinstance(e, StepMade))

    @property
    def places(self) -> Counter[Outcome]:
        """Requests, by how they left."""
        return Counter(e.outcome for e in self.events if isinstance(e, PlaceLeft))


def _sum(counts: Iterable[Mapping[Key, int]]) -> Counter[Key]:
    total: Counter[Key] = Counter()
    for count in counts:
        total.update(count)
    return total
