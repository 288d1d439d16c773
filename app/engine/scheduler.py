"""Which rows make up the next step. Pure logic: it knows neither tensors nor time, and is called by one thread.

Looks (a forward pass: predictions, and the look at the end of an explanation) come before climbs (gradient steps), but
for one climb after every `LOOKS_IN_A_ROW` looks. A step is of one model; models take turns so that each has device time
in proportion to the requests that want it. Within a step, places in the batch are dealt out one by one, each to the
owner that was dealt fewest, so that who asks for many rows gets what the others leave. Within an owner, the rows that
came first are finished first.
"""

import heapq
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

Row = TypeVar("Row", bound=Hashable)
Model = TypeVar("Model", bound=Hashable)
Kind = Literal["look", "climb"]

LOOKS_IN_A_ROW = 4


@dataclass(frozen=True)
class Step(Generic[Row, Model]):
    """Rows of one model that share a pass, in the order they came."""

    kind: Kind
    model: Model
    rows: tuple[Row, ...]


@dataclass
class _Share(Generic[Row]):
    """One owner's rows in a group, each with the number of rows that came before it, and what was dealt to them.

    `dealt` counts places in batches, beyond those of the owner who has fewest and wants more.
    """

    arrived: int
    dealt: int = 0
    rows: dict[Row, int] = field(default_factory=dict)


@dataclass
class _Group(Generic[Row, Model]):
    """All rows of one kind and model."""

    kind: Kind
    model: Model
    cost: float
    shares: dict[Hashable, _Share[Row]] = field(default_factory=dict)

    def deal(self, places: int) -> dict[Row, int]:
        """Rows for this many places: each place goes to the owner that was dealt fewest by then."""
        heap = [(share.dealt, share.arrived, share, iter(share.rows.items())) for share in self.shares.values()]
        heapq.heapify(heap)  # never compares shares: no two arrived as the same
        chosen: dict[Row, int] = {}
        wanting: list[_Share[Row]] = []
        while heap:
            _, arrived, share, rows = heap[0]
            row = next(rows, None)
            if row is None:
                heapq.heappop(heap)
            elif len(chosen) == places:
                wanting.append(heapq.heappop(heap)[2])
            else:
                chosen[row[0]] = row[1]
                share.dealt += 1
                heapq.heapreplace(heap, (share.dealt, arrived, share, rows))
        self._forgive(wanting)
        return chosen

    def _forgive(self, wanting: list[_Share[Row]]) -> None:
        """Nobody saves up: who got all it wanted has no claim over who waits, and the fewest dealt are none."""
        fewest = min((share.dealt for share in wanting), default=None)
        for share in self.shares.values():
            share.dealt = 0 if fewest is None else max(0, share.dealt - fewest)


class Scheduler(Generic[Row, Model]):
    """Holds every row that waits or runs; a row takes part in steps until it is removed."""

    def __init__(self) -> None:
        self._groups: dict[tuple[Kind, Model], _Group[Row, Model]] = {}
        self._places: dict[Row, tuple[_Group[Row, Model], Hashable]] = {}
        self._served: dict[Model, float] = {}  # by model: cost for each owner, beyond the model served least
        self._arrivals = 0
        self._looks_in_a_row = 0

    def __len__(self) -> int:
        return len(self._places)

    def add(self, row: Row, *, owner: Hashable, kind: Kind, model: Model, cost: float) -> None:
        """Let a row take part from the next step on; `cost`, above 0, is what a row of this kind takes of the device.

        Raises:
            ValueError: the row is there already.
        """
        if row in self._places:
            raise ValueError("this row is there already: remove it first")
        self._arrivals += 1
        group = self._groups.setdefault((kind, model), _Group(kind, model, cost))
        group.shares.setdefault(owner, _Share(self._arrivals)).rows[row] = self._arrivals
        self._places[row] = group, owner
        self._served.setdefault(model, 0.0)

    def remove(self, row: Row) -> None:
        """Take a row out, done or given up; one that is not there is none."""
        if row not in self._places:
            return
        group, owner = self._places.pop(row)
        share = group.shares[owner]
        del share.rows[row]
        if not share.rows:
            del group.shares[owner]
        if not group.shares:
            del self._groups[group.kind, group.model]
            if not any(model == group.model for _, model in self._groups):
                del self._served[group.model]

    def next_step(self, most_rows: Callable[[Model], int]) -> Step[Row, Model] | None:
        """The rows that go next, at most `most_rows(model)` of them, or None where there is none at all."""
        kind = self._turn()
        groups = [group for group in self._groups.values() if group.kind == kind]
        if not groups:
            return None
        group = min(groups, key=lambda group: self._served[group.model])
        owners = len(group.shares)
        chosen = group.deal(max(1, most_rows(group.model)))
        self._charge(group.model, group.cost * len(chosen) / owners)
        self._looks_in_a_row = self._looks_in_a_row + 1 if kind == "look" else 0
        return Step(kind, group.model, tuple(sorted(chosen, key=chosen.__getitem__)))

    def _turn(self) -> Kind:
        kinds = {kind for kind, _ in self._groups}
        if "look" not in kinds or ("climb" in kinds and self._looks_in_a_row >= LOOKS_IN_A_ROW):
            return "climb"
        return "look"

    def _charge(self, model: Model, cost: float) -> None:
        self._served[model] += cost
        least = min(self._served.values())
        for name in self._served:
            self._served[name] -= least
