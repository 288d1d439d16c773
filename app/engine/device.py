"""One thread owns the device: it makes step after step for whoever is inside, and nobody else touches it.

A request takes a place (`with engine.place(model, rows=…, steps=…) as place:`), which bounds what is inside by its
cost, and asks through it for forward passes (`place.look`) and for the loop (`place.climb`), from any thread.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from torch import Tensor

from app.engine.admission import Admission, Bounds, Reservation
from app.engine.jobs import AnyJob, Ask, CallJob, Climbed, ClimbJob, LookJob, Observer
from app.engine.load import Load, load_of
from app.engine.model import DeviceModel
from app.engine.runner import Runner
from app.engine.telemetry import Listener, PlaceLeft, harmless, nobody, outcome_of
from app.engine.token import WorkToken
from app.errors import EngineFull

Found = TypeVar("Found")


@dataclass(frozen=True)
class EngineLimits:
    """What an engine may take.

    Attributes:
        places: requests inside at once.
        max_wait_seconds: of device time, that may be spent on others before a newcomer is done.
        max_bytes: of memory on the device, half for rows that wait and half for the step that is made.
        max_step_rows: rows that share a step.
    """

    places: int
    max_wait_seconds: float = 120.0
    max_bytes: int = 2**31
    max_step_rows: int = 32


class Engine:
    """Gradient steps and forward passes for many requests at once; `listener` is told of them."""

    def __init__(self, limits: EngineLimits, listener: Listener = nobody) -> None:
        self._report = harmless(listener)
        self._admission = Admission(Bounds(limits.places, limits.max_bytes // 2, limits.max_wait_seconds))
        self._runner = Runner(
            self._admission,
            max_step_rows=limits.max_step_rows,
            max_step_bytes=limits.max_bytes // 2,
            listener=listener,
        )
        self._arrived: list[AnyJob] = []
        self._closed = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._serve, name="device", daemon=True)
        self._thread.start()

    @property
    def places_taken(self) -> int:
        return self._admission.taken

    def load(self) -> Load:
        """How busy it is; any thread may ask."""
        jobs = [*self._arrived, *self._runner.jobs]
        return load_of(jobs, places=self._admission.bounds.places, taken_places=self.places_taken)

    @contextmanager
    def place(
        self,
        model: DeviceModel,
        *,
        rows: int = 1,
        steps: int = 0,
        second: DeviceModel | None = None,
        copies: int = 0,
    ) -> Iterator["Place"]:
        """Be inside while the block runs.

        Args:
            model: that will be asked.
            rows: images that will be worked on at once.
            steps: gradient steps of each; each is looked at twice besides.
            second: another model, that will look at one image.
            copies: further images held at some time, whose steps are counted among those of the rows.

        Raises:
            EngineFull: there is no room; says when to come again, by the rate at which work was lately done.
        """
        cost = rows * (steps * model.cost("climb") + 2 * model.cost("look"))
        held_bytes = (rows + copies) * model.held_bytes
        if second is not None:
            cost += second.cost("look")
            held_bytes += second.held_bytes
        reservation = Reservation(cost, held_bytes, model.meter)
        place = Place(model, reservation, self._runner.most_rows, self._submit)
        error: BaseException | None = None
        try:
            self._admission.enter(reservation)
            yield place
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._admission.leave(reservation)  # nothing where it was not let in
            self._report(PlaceLeft(model, rows, steps, place.queued_seconds, outcome_of(error), _name(error)))

    def close(self) -> None:
        """Finish the step in hand, tell everybody inside that there will be no more, and end the thread."""
        with self._news:
            self._closed = True
            self._news.notify()
        self._thread.join()

    def _submit(self, job: AnyJob) -> None:
        with self._news:
            if self._closed:
                raise self._stopping()
            self._arrived.append(job)
            self._news.notify()

    def _serve(self) -> None:
        while True:
            with self._news:
                while not (self._arrived or len(self._runner) or self._closed):
                    self._news.wait()
                arrived, self._arrived = self._arrived, []
            for job in arrived:
                self._runner.add(job)
            if self._closed:
                break
            self._step()
        self._runner.end_all(self._stopping)

    def _step(self) -> None:
        try:
            self._runner.step()
        except Exception as error:  # noqa: BLE001 - a fault here is ours; without its thread the server would hang
            self._runner.end_all(partial(_failed, error))

    def _stopping(self) -> EngineFull:
        wait = self._admission.retry_after_seconds()
        return EngineFull(f"The server is stopping and takes no more work; come again in about {wait} s.", wait)


class Place:
    """A request inside the engine; its methods block.

    Attributes:
        rows_at_once: rows that a step holds at the most, and a call may.
        queued_seconds: that its work has waited for its first step, in all.
    """

    def __init__(
        self,
        model: DeviceModel,
        reservation: Reservation,
        most_rows: Callable[[DeviceModel], int],
        submit: Callable[[AnyJob], None],
    ) -> None:
        self.model = model
        self.rows_at_once = most_rows(model)
        self.queued_seconds = 0.0
        self._reservation = reservation
        self._most_rows = most_rows
        self._submit = submit

    def of(self, model: DeviceModel) -> "Place":
        """The same place, to ask another model from: the steps that the place was taken for are to cover that."""
        return Place(model, self._reservation, self._most_rows, self._submit)

    def look(self, images: Tensor, token: WorkToken) -> Tensor:
        """Logits (batch, classes) of images (batch, channels, height, width) in [0, 1]; both on the CPU.

        Raises:
            Cancelled, DeadlineExceeded: the token is over.
            EngineFull: the engine is closed, or memory does not suffice even for one image.
            Exception: whatever the network raises for these images.
        """
        job = LookJob(self.model, self._reservation, token, images)
        self._do(job)
        return job.result()

    def climb(self, ask: Ask, token: WorkToken, observe: Observer | None = None) -> Climbed:
        """Run the loop for each row; raises as `look` does, but where `ask` has its rows cut at the deadline.

        A row that meets NaN or infinity ends alone and says so.
        """
        job = ClimbJob(self.model, self._reservation, token, ask, observe)
        self._do(job)
        return job.result()

    def call(self, work: Callable[[], Found], token: WorkToken, *, rows: int = 1) -> Found:
        """Call a function on the device's thread, for work that is neither look nor climb; raises as it, and as `look`.

        Args:
            work: holds up everybody inside while it runs: it is to take no longer than a step of `rows_at_once` rows.
            token: asked before it begins.
            rows: that it works on, each about the cost of a gradient step of one.
        """
        job = CallJob(self.model, self._reservation, token, work, rows)
        self._do(job)
        found: Found = job.found
        return found

    def _do(self, job: AnyJob) -> None:
        job.patience.check()
        self._submit(job)
        try:
            job.wait()
        finally:
            self.queued_seconds += job.queued_seconds


def _name(error: BaseException | None) -> str | None:
    return None if error is None else type(error).__name__


def _failed(error: Exception) -> RuntimeError:
    failed = RuntimeError("the device's thread failed")
    failed.__cause__ = error
    return failed
