"""Works off jobs step by step: what the device's thread does, without the thread."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from app.adversarial.explain import probability_of
from app.engine.admission import Admission
from app.engine.batch import Batch, Stepped
from app.engine.jobs import AnyJob, CallJob, ClimbJob, ClimbRow, LookRow, Progress, Row
from app.engine.model import DeviceModel
from app.engine.scheduler import Kind, Scheduler, Step
from app.engine.split import in_parts, is_out_of_memory
from app.engine.telemetry import Listener, Outcome, RowsAsked, RowsEnded, StepMade, harmless, nobody, outcome_of
from app.errors import Cancelled, DeadlineExceeded, EngineFull

GROW_AFTER_STEPS = 100

Each = TypeVar("Each", Row, ClimbRow)


@dataclass
class _Fitting:
    """What a step may hold since memory did not suffice for more; after `GROW_AFTER_STEPS` twice that is tried."""

    rows: int
    steps: int = 0


class Runner:
    """Jobs in hand. One thread calls it.

    Args:
        admission: says when to come again.
        max_step_rows, max_step_bytes: of one step, at the most; one row always goes.
        listener: is told what came in, what was done, and what went out.
    """

    def __init__(
        self, admission: Admission, *, max_step_rows: int, max_step_bytes: int, listener: Listener = nobody
    ) -> None:
        self._admission = admission
        self._report = harmless(listener)
        self._max_step_rows, self._max_step_bytes = max_step_rows, max_step_bytes
        self._scheduler: Scheduler[Row, DeviceModel] = Scheduler()
        self._jobs: set[AnyJob] = set()
        self._calls: deque[CallJob] = deque()
        self._batches: dict[DeviceModel, Batch] = {}
        self._fitting: WeakKeyDictionary[DeviceModel, _Fitting] = WeakKeyDictionary()

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def jobs(self) -> list[AnyJob]:
        """Those in hand, as a list of its own; any thread may ask."""
        return list(self._jobs)

    def add(self, job: AnyJob) -> None:
        """Take a job in hand: its rows join at the next step."""
        self._jobs.add(job)
        self._report(RowsAsked(job.model, job.kind, job.unfinished))
        if isinstance(job, CallJob):
            self._calls.append(job)
            return
        for row in job.rows:
            self._schedule(row, "look" if isinstance(row, LookRow) else "climb")
        if not job.rows:
            self._end(job)

    def step(self) -> None:
        """Heed who is gone or late; then make one step, if there is a row to make it with, and one call likewise."""
        for job in list(self._jobs):
            self._heed_token(job)
        step = self._scheduler.next_step(self.most_rows)
        if step is not None:
            self._make(step)
        if self._calls:
            self._call(self._calls[0])

    def end_all(self, error: Callable[[], BaseException]) -> None:
        """Give up every job in hand."""
        for job in list(self._jobs):
            self._end(job, error())

    def _make(self, step: Step[Row, DeviceModel]) -> None:
        began = time.monotonic()
        failures = self._look(step.model, step.rows) if step.kind == "look" else self._climb(step.model, step.rows)
        seconds = time.monotonic() - began
        self._account(step.kind, step.rows, seconds)
        self._report(StepMade(step.model, step.kind, len(step.rows), len(failures), seconds))
        for row, error in failures.items():
            self._fail(row.job, error)

    def _call(self, job: CallJob) -> None:
        """Do one whole call: who asks for many stands in line again for each, and steps go between."""
        rows, error = job.unfinished, None
        job.begin()
        began = time.monotonic()
        try:
            job.found = job.work()
        except Exception as raised:  # noqa: BLE001 - whoever asked is told; the thread goes on
            error = raised
        seconds = time.monotonic() - began
        job.reservation.spend(job.model.cost("climb") * rows)
        self._report(StepMade(job.model, job.kind, rows, 0 if error is None else rows, seconds))
        if error is not None:
            self._fail(job, error)
            return
        job.unfinished = 0
        self._report(RowsEnded(job.model, job.kind, rows, "done"))
        self._end(job)

    def _fail(self, job: AnyJob, error: Exception) -> None:
        if is_out_of_memory(error):
            self._end(job, self._no_memory(), "out_of_memory")
        else:
            self._end(job, error)

    def _look(self, model: DeviceModel, rows: Sequence[Row]) -> dict[Row, Exception]:
        seen: dict[Row, Tensor] = {}

        def work(part: Sequence[Row]) -> None:
            _begin(part)
            logits = model.step.logits(torch.stack([row.shown for row in part])).cpu()
            seen.update(zip(part, logits, strict=True))

        failures = self._in_parts(model, rows, work)
        for row, logits in seen.items():
            row.at_end = logits
            if isinstance(row, ClimbRow):
                if row.at_start is None:  # cut short before its first step
                    row.at_start = logits
                self._tell(row, row.job.ask.rows.label[row.index], logits, row.perturbation)
            self._finish(row)
        return failures

    def _climb(self, model: DeviceModel, rows: Sequence[Row]) -> dict[ClimbRow, Exception]:
        climbing = [row for row in rows if isinstance(row, ClimbRow)]
        steps: list[Stepped] = []

        def work(part: Sequence[ClimbRow]) -> None:
            _begin(part)
            if model in self._batches:
                self._batches[model].join(part)
            else:
                self._batches[model] = Batch(model, part)
            steps.append(self._batches[model].step(part))

        failures = self._in_parts(model, climbing, work)
        for stepped in steps:
            self._follow_up(stepped)
        return failures

    def _follow_up(self, stepped: Stepped) -> None:
        """Let each row go on, look at its end, or leave, by what its step saw."""
        logits, finite = stepped.seen.logits.cpu(), stepped.seen.finite.tolist()
        leaving, at = stepped.leaving.tolist(), stepped.packed.state.perturbation
        ended: list[ClimbRow] = []
        for place, row in enumerate(stepped.members):
            if row.steps_made == 0:
                row.at_start = logits[place]
            if finite[place]:
                self._tell(row, row.job.ask.rows.label[row.index], logits[place], at[place])
            if row.job not in self._jobs:
                continue  # an observer raised
            if finite[place] and not leaving[place]:
                row.steps_made += 1
                if row.steps_made == row.steps:
                    ended.append(row)
                continue
            if not finite[place]:
                row.non_finite_step = row.steps_made
            row.perturbation, row.at_end = at[place].clone(), logits[place]
            self._finish(row)
        self._look_at_end([row for row in ended if row.job in self._jobs])

    def _heed_token(self, job: AnyJob) -> None:
        """Drop it where its token is over, or cut it short where it asked for that."""
        try:
            job.token.check()
        except DeadlineExceeded as late:
            if isinstance(job, ClimbJob) and job.ask.cut_at_deadline:
                self._cut_short(job)
            else:
                self._end(job, late)
        except Cancelled as gone:
            self._end(job, gone)

    def _cut_short(self, job: ClimbJob) -> None:
        """End the loop of its rows where they are; what is left of the job has no deadline."""
        job.token = job.patience
        cut = [row for row in job.rows if row.climbing]
        for row in cut:
            row.cut_short = True
        self._look_at_end(cut)

    def _look_at_end(self, rows: Sequence[ClimbRow]) -> None:
        """End the loop of rows of one model, and look at where they are, which the loop never saw."""
        for row in rows:
            model = row.job.model
            if row.begun:
                row.perturbation = self._batches[model].perturbation(row)
            else:
                row.perturbation = torch.zeros_like(row.job.images[row.index], device=model.device)
            self._scheduler.remove(row)
            self._schedule(row, "look")
        self._leave_batch(rows)

    def _tell(self, row: ClimbRow, label: Tensor, logits: Tensor, perturbation: Tensor | None) -> None:
        if row.job.observe is None or perturbation is None or row.job not in self._jobs:
            return
        probability = float(probability_of(logits[None], label[None]))
        at = partial(_copied, perturbation)
        try:
            row.job.observe(Progress(row.index, row.steps_made, row.steps, probability, at))
        except Exception as error:  # noqa: BLE001 - whoever asked is told; the thread goes on
            self._end(row.job, error)

    def _schedule(self, row: Row, kind: Kind) -> None:
        model = row.job.model
        self._scheduler.add(row, owner=row.job.reservation, kind=kind, model=model, cost=model.cost(kind))

    def _finish(self, row: Row) -> None:
        """It has all it can have."""
        if row.job not in self._jobs:
            return
        self._scheduler.remove(row)
        if isinstance(row, ClimbRow):
            self._leave_batch([row])
            row.perturbation = None if row.perturbation is None else row.perturbation.cpu()
        row.job.unfinished -= 1
        self._report(RowsEnded(row.job.model, row.job.kind, 1, _outcome(row)))
        if not row.job.unfinished:
            self._end(row.job)

    def _end(self, job: AnyJob, error: BaseException | None = None, outcome: Outcome | None = None) -> None:
        """All of it is done, or given up; one that has ended is left alone. `outcome` is the error's unless given."""
        if job not in self._jobs:
            return
        self._jobs.discard(job)
        if job.unfinished:
            self._report(RowsEnded(job.model, job.kind, job.unfinished, outcome or outcome_of(error)))
        for row in job.rows:
            self._scheduler.remove(row)
        if isinstance(job, ClimbJob):
            self._leave_batch(job.rows)
        elif isinstance(job, CallJob):
            self._calls.remove(job)
        job.end(error)

    def _leave_batch(self, rows: Sequence[ClimbRow]) -> None:
        if not rows or (batch := self._batches.get(rows[0].job.model)) is None:
            return
        batch.leave(rows)
        if not len(batch):
            del self._batches[rows[0].job.model]

    def _in_parts(
        self, model: DeviceModel, rows: Sequence[Each], work: Callable[[Sequence[Each]], None]
    ) -> dict[Each, Exception]:
        failures, fitted = in_parts(rows, work)
        fitting = self._fitting.get(model)
        if fitted is not None:
            self._fitting[model] = _Fitting(max(1, fitted))
        elif fitting is not None:
            fitting.steps += 1
            if fitting.steps == GROW_AFTER_STEPS:
                self._fitting[model] = _Fitting(2 * fitting.rows)
        return failures

    def most_rows(self, model: DeviceModel) -> int:
        """That a step of this model may hold, since memory last did not suffice; any thread may ask."""
        fitting = self._fitting.get(model)
        most = min(self._max_step_rows, self._max_step_bytes // model.bytes_per_row)
        return max(1, most if fitting is None else min(most, fitting.rows))

    def _account(self, kind: Kind, rows: Sequence[Row], seconds: float) -> None:
        model = rows[0].job.model
        for row in rows:
            row.job.reservation.spend(model.cost(kind))
        model.meter.measured(model.cost(kind) * len(rows), seconds)

    def _no_memory(self) -> EngineFull:
        wait = self._admission.retry_after_seconds()
        return EngineFull(f"The device has not enough memory for this just now; come again in about {wait} s.", wait)


def _begin(rows: Sequence[Row]) -> None:
    for row in rows:
        row.begun = True
        row.job.begin()


def _outcome(row: Row) -> Outcome:
    if not row.finite:
        return "not_finite"
    return "cut_short" if isinstance(row, ClimbRow) and row.cut_short else "done"


def _copied(perturbation: Tensor) -> Tensor:
    return perturbation.to("cpu", copy=True)
