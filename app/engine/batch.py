"""The running rows of one model: tensors in one piece, packed anew whenever a row joins or leaves."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.adversarial.batched import Batched
from app.adversarial.loop import LoopState, Seen, make_step
from app.adversarial.rows import Rows
from app.adversarial.stop_rules import StopRule
from app.engine.jobs import ClimbRow
from app.engine.model import DeviceModel


@dataclass(frozen=True)
class Packed(Batched):
    """Everything the loop needs of some rows."""

    images: Tensor
    state: LoopState
    rows: Rows
    aims: Aims


@dataclass(frozen=True)
class Stepped:
    """What a step saw of some rows, `packed` as they were before it; bool (rows,) `leaving`: done before this step.

    They are done by the rule of whoever asked, or because they rest.
    """

    members: Sequence[ClimbRow]
    packed: Packed
    seen: Seen
    leaving: Tensor


class Batch:
    """Rows of climbs that have begun and not ended.

    Args:
        model: of all of them.
        rows: the first ones, one or more.
    """

    def __init__(self, model: DeviceModel, rows: Sequence[ClimbRow]) -> None:
        self._model = model
        self._members = list(rows)
        self._packed = Packed.joined([self._at_start(row) for row in rows])

    def __len__(self) -> int:
        return len(self._members)

    def join(self, rows: Sequence[ClimbRow]) -> None:
        """Take in those of the rows that are not in yet."""
        inside = set(self._members)
        new = [row for row in rows if row not in inside]
        if new:
            self._packed = Packed.joined([self._packed, *(self._at_start(row) for row in new)])
            self._members += new

    def leave(self, rows: Collection[ClimbRow]) -> None:
        """Let go of those of the rows that are in."""
        kept = [place for place, row in enumerate(self._members) if row not in rows]
        if len(kept) < len(self._members):
            self._packed = self._packed[self._index(kept)]
            self._members = [self._members[place] for place in kept]

    def step(self, rows: Sequence[ClimbRow]) -> Stepped:
        """One gradient step of some members, one or more; nothing is kept of it where it raises."""
        place_of = {row: place for place, row in enumerate(self._members)}
        places = [place_of[row] for row in rows]
        everyone = places == list(range(len(self._members)))
        index = self._index(places)
        packed = self._packed if everyone else self._packed[index]
        moved, seen = make_step(
            lambda shown, _: self._model.step.logits_and_gradient(shown, packed.aims),
            packed.images,
            packed.state,
            packed.rows,
            _each_by_its_own([row.job.ask.follow_rule for row in rows]),
        )
        leave_rule = _each_by_its_own([row.job.ask.leave_rule or _never for row in rows])
        leaving = leave_rule(seen.logits, packed.state.perturbation, packed.rows) | seen.resting
        if everyone:
            self._packed = replace(packed, state=moved)
        else:
            self._packed.state[index] = moved
        return Stepped(rows, packed, seen, leaving)

    def perturbation(self, row: ClimbRow) -> Tensor:
        """A member's d (channels, height, width), as it is now, in memory of its own."""
        return self._packed.state.perturbation[self._members.index(row)].clone()

    def _at_start(self, row: ClimbRow) -> Packed:
        one, ask, device = slice(row.index, row.index + 1), row.job.ask, self._model.device
        images = row.job.images[one]
        return Packed(images, LoopState.at_start(images), ask.rows[one].to(device), ask.aims[one].to(device))

    def _index(self, places: Sequence[int]) -> Tensor:
        return torch.tensor(places, dtype=torch.int64, device=self._model.device)


def _each_by_its_own(rules: Sequence[StopRule]) -> StopRule:
    """One rule for rows that each have their own."""
    if len(set(rules)) == 1:
        return rules[0]

    def mixed(logits: Tensor, perturbation: Tensor, rows: Rows) -> Tensor:
        answer = torch.zeros(len(rules), dtype=torch.bool, device=logits.device)
        for each in set(rules):
            asked = torch.tensor([rule is each for rule in rules], device=logits.device)
            answer |= asked & each(logits, perturbation, rows)
        return answer

    return mixed


def _never(logits: Tensor, perturbation: Tensor, rows: Rows) -> Tensor:
    del perturbation, rows
    return torch.zeros(len(logits), dtype=torch.bool, device=logits.device)
