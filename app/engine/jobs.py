"""What is asked of the device, row by row, and how whoever asked waits for it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.adversarial.loop import LoopResult
from app.adversarial.rows import Rows
from app.adversarial.stop_rules import StopRule, while_below_size
from app.engine.admission import Reservation
from app.engine.model import DeviceModel
from app.engine.scheduler import Kind
from app.engine.token import WorkToken


@dataclass(frozen=True)
class Progress:
    """One row before a step of it, or after its last: that of `steps`, or the last it had before it was cut short.

    Attributes:
        row: which of those asked for.
        step, steps: t and T.
        probability: softmax of the row's label at image + d.
        perturbation: gives d, (channels, height, width) on the CPU; to be called inside the observer or not at all.
    """

    row: int
    step: int
    steps: int
    probability: float
    perturbation: Callable[[], Tensor]


WorkKind = Kind | Literal["call"]
"""What is asked for: rows to look at or to climb with, which others' rows join, or a call by itself."""

Observer = Callable[[Progress], None]
"""Called on the device's own thread, which waits for it; what it raises ends its job."""


@dataclass(frozen=True)
class Ask:
    """Rows to run the loop for, on the CPU.

    Attributes:
        images: float32 (rows, channels, height, width) in [0, 1].
        rows: options of each.
        aims: what each climbs.
        follow_rule: where the gradient is followed.
        leave_rule: a row for which it is true is done, before its next step; so is, rule or none, one that rests.
        cut_at_deadline: where the token's time is over, each row ends with what it has by then, in place of an error.
    """

    images: Tensor
    rows: Rows
    aims: Aims
    follow_rule: StopRule = while_below_size
    leave_rule: StopRule | None = None
    cut_at_deadline: bool = False


@dataclass(frozen=True)
class Climbed:
    """What the loop ended with, on the CPU.

    Attributes:
        looped: as of the loop itself; `app.adversarial.explain.judge` takes it from here.
        at_start, at_end: logits (rows, classes), at the image and at image + d.
        steps_made: int64 (rows,), T unless the row left before.
        cut_short: bool (rows,), the deadline came before the row was done. One that it found before its first step has
            the image as it is: no change, no steps.
    """

    looped: LoopResult
    at_start: Tensor
    at_end: Tensor
    steps_made: Tensor
    cut_short: Tensor


class Job:
    """A piece of work of one request. The device's thread alone touches it, but for `wait`.

    Attributes:
        token: the right to work on it.
        patience: the right to wait for it, which may outlast that.
        unfinished: how many rows have not ended.
    """

    def __init__(self, model: DeviceModel, reservation: Reservation, token: WorkToken, images: Tensor) -> None:
        self.model = model
        self.reservation = reservation
        self.token = token
        self.patience = token
        self.images = images
        self.unfinished = len(images)
        self._asked = time.monotonic()
        self._began: float | None = None
        self._error: BaseException | None = None
        self._ended = False
        self._wake = threading.Event()

    @property
    def begun(self) -> bool:
        """A step has had a row of it."""
        return self._began is not None

    @property
    def queued_seconds(self) -> float:
        """Until its first row took part in a step."""
        return 0.0 if self._began is None else self._began - self._asked

    def begin(self) -> None:
        """Its first row takes part in a step."""
        if self._began is None:
            self._began = time.monotonic()
            self.images = self.images.to(self.model.device)

    def end(self, error: BaseException | None = None) -> None:
        """All of it is done, or there will be no more."""
        self._error, self._ended = error, True
        self._wake.set()

    def wait(self) -> None:
        """Until it ended, or patience is over: then the device's thread drops it before its next step.

        Raises:
            Cancelled, DeadlineExceeded: patience is over.
            Exception: whatever the device's thread ended it with.
        """
        with self.patience.calling_when_cancelled(self._wake.set):
            while not self._ended:
                self.patience.check()
                self._wake.wait(self.patience.remaining_seconds())
        if self._error is not None:
            raise self._error


class LookJob(Job):
    """A forward pass of each image."""

    kind: ClassVar[Kind] = "look"

    def __init__(self, model: DeviceModel, reservation: Reservation, token: WorkToken, images: Tensor) -> None:
        super().__init__(model, reservation, token, images)
        self.rows = [LookRow(self, index) for index in range(len(images))]

    def result(self) -> Tensor:
        """Logits (rows, classes), on the CPU, once it ended."""
        return _stacked([row.at_end for row in self.rows])


class ClimbJob(Job):
    """The loop, for each row by itself."""

    kind: ClassVar[Kind] = "climb"

    def __init__(
        self,
        model: DeviceModel,
        reservation: Reservation,
        token: WorkToken,
        ask: Ask,
        observe: Observer | None = None,
    ) -> None:
        super().__init__(model, reservation, token, ask.images)
        if ask.cut_at_deadline:
            self.patience = token.without_deadline()
        self.ask = ask
        self.observe = observe
        self.rows = [ClimbRow(self, index, steps) for index, steps in enumerate(ask.rows.steps.tolist())]

    def result(self) -> Climbed:
        """What its rows came to, once it ended."""
        return Climbed(
            LoopResult(
                _stacked([row.perturbation for row in self.rows]),
                torch.tensor([row.non_finite_step for row in self.rows]),
            ),
            at_start=_stacked([row.at_start for row in self.rows]),
            at_end=_stacked([row.at_end for row in self.rows]),
            steps_made=torch.tensor([row.steps_made for row in self.rows]),
            cut_short=torch.tensor([row.cut_short for row in self.rows], dtype=torch.bool),
        )


class CallJob(Job):
    """A function that is called on the device's thread, in the place of one step."""

    kind: ClassVar[WorkKind] = "call"

    def __init__(
        self, model: DeviceModel, reservation: Reservation, token: WorkToken, work: Callable[[], Any], rows: int
    ) -> None:
        super().__init__(model, reservation, token, torch.empty(rows, 0))
        self.work = work
        self.rows: list[Row] = []  # it stands in line as one
        self.found: Any = None


@dataclass(eq=False)
class LookRow:
    """One image of a `LookJob`, and its logits once they are there."""

    job: LookJob
    index: int
    begun: bool = False
    at_end: Tensor | None = None

    @property
    def shown(self) -> Tensor:
        """What the network is to look at, (channels, height, width), on the device."""
        return self.job.images[self.index]

    @property
    def finite(self) -> bool:
        """Whether its logits are numbers, once they are there."""
        return _all_finite(self.at_end)


@dataclass(eq=False)
class ClimbRow:
    """One row of a `ClimbJob`, and what came of it so far: tensors of the device, or None until they are there."""

    job: ClimbJob
    index: int
    steps: int
    begun: bool = False
    steps_made: int = 0
    non_finite_step: int = -1
    cut_short: bool = False
    at_start: Tensor | None = None
    at_end: Tensor | None = None
    perturbation: Tensor | None = None

    @property
    def climbing(self) -> bool:
        """Its loop has not ended; once it has, d stays as it is."""
        return self.perturbation is None

    @property
    def shown(self) -> Tensor:
        """Image + d where the loop ended, (channels, height, width), on the device."""
        image = self.job.images[self.index]
        return image if self.perturbation is None else image + self.perturbation

    @property
    def finite(self) -> bool:
        """Whether all that was seen of it is a number, once it ended."""
        return self.non_finite_step < 0 and _all_finite(self.at_end)


Row = LookRow | ClimbRow
AnyJob = LookJob | ClimbJob | CallJob


def _all_finite(logits: Tensor | None) -> bool:
    return logits is not None and bool(logits.isfinite().all())


def _stacked(tensors: list[Tensor | None]) -> Tensor:
    return torch.stack([tensor for tensor in tensors if tensor is not None]).cpu()
