"""What the engine tells of its work: every row once, every step, every request; and that nobody is hurt by it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from structlog.testing import capture_logs
from torch import Tensor

from app.engine.device import Engine, EngineLimits
from app.engine.load import Load
from app.engine.telemetry import Event, Outcome, PlaceLeft, RowsAsked, RowsEnded, StepMade, outcome_of
from app.engine.token import WorkToken
from app.errors import Cancelled, DamagedImage, DeadlineExceeded, EngineFull, NotFinite
from tests.adversarial.tiny import random_images
from tests.engine.listening import Heard
from tests.engine.small import SOON_SECONDS, Desk, Gate, Small, ask, require_as_alone, rows_of, small


def fail(error: Exception) -> Callable[[Tensor], None]:
    def before(images: Tensor) -> None:
        del images
        raise error

    return before


def test_a_loop_is_told_from_beginning_to_end() -> None:
    heard = Heard()
    desk, on = Desk(listener=heard), small()
    desk.climb(on, ask(1, rows_of([0, 1], [2, 3])))
    desk.run()
    steps = [(e.kind, e.rows, e.failed) for e in heard.events if isinstance(e, StepMade)]
    assert steps == [("climb", 2, 0), ("climb", 2, 0), ("look", 1, 0), ("climb", 1, 0), ("look", 1, 0)]
    assert all(e.seconds > 0 for e in heard.events if isinstance(e, StepMade))
    rows = [e for e in heard.events if not isinstance(e, StepMade)]
    assert rows == [RowsAsked(on.model, "climb", 2), *2 * [RowsEnded(on.model, "climb", 1, "done")]]


def cancelled(desk: Desk) -> None:
    token = WorkToken()
    desk.climb(small(), ask(1, rows_of([0, 1, 2], [5, 5, 5])), token)
    desk.run(1)
    token.cancel()


def late(desk: Desk) -> None:
    desk.climb(small(), ask(1, rows_of([0, 1, 2], [5, 5, 5])), WorkToken(0.0))


def cut_short(desk: Desk) -> None:
    desk.climb(small(), ask(1, rows_of([0, 1, 2], [5, 5, 5]), cut_at_deadline=True), WorkToken(0.0))


def not_finite(desk: Desk) -> None:
    asked = ask(1, rows_of([0, 1, 2], [5, 5, 5]))
    asked.images.fill_(torch.nan)
    desk.climb(small(), asked)


def looked_at_nan(desk: Desk) -> None:
    desk.look(small(), torch.full((3, 2, 5, 4), torch.nan).double())


def failed(desk: Desk) -> None:
    desk.climb(small(before=fail(ValueError("mine"))), ask(1, rows_of([0, 1, 2], [5, 5, 5])))


def out_of_memory(desk: Desk) -> None:
    desk.look(small(before=fail(torch.OutOfMemoryError())), random_images(1, 3))


def closing(desk: Desk) -> None:
    desk.look(small(), random_images(1, 3))
    desk.runner.end_all(lambda: EngineFull("stopping", 1))


@pytest.mark.parametrize(
    ("happens", "outcome"),
    [
        (cancelled, "cancelled"),
        (late, "deadline"),
        (cut_short, "cut_short"),
        (not_finite, "not_finite"),
        (looked_at_nan, "not_finite"),
        (failed, "failed"),
        (out_of_memory, "out_of_memory"),
        (closing, "refused"),
    ],
)
def test_each_row_has_the_outcome_that_it_came_to(happens: Callable[[Desk], None], outcome: Outcome) -> None:
    heard = Heard()
    desk = Desk(listener=heard)
    happens(desk)
    desk.run()
    assert heard.outcomes == {outcome: 3}
    assert heard.asked_rows == heard.ended_rows


def test_rows_that_were_done_before_their_request_ended_stay_done() -> None:
    heard, token = Heard(), WorkToken()
    desk = Desk(listener=heard)
    desk.climb(small(), ask(1, rows_of([0, 1], [1, 50])), token)
    desk.run(3)
    token.cancel()
    desk.run()
    assert heard.outcomes == {"done": 1, "cancelled": 1}


def test_rows_that_failed_are_told_of_their_step() -> None:
    heard = Heard()
    desk = Desk(listener=heard)
    desk.look(small(before=fail(ValueError("mine"))), random_images(1, 3))
    desk.run()
    (step,) = [e for e in heard.events if isinstance(e, StepMade)]
    assert (step.rows, step.failed) == (3, 3)
    assert heard.made_rows == {"look": 0}


def test_a_listener_that_raises_hurts_nobody_and_is_logged_once() -> None:
    def broken(event: Event) -> None:
        raise KeyError(event)

    desk, on = Desk(listener=broken), small()
    with capture_logs() as lines:
        job = desk.climb(on, ask(1, rows_of([0, 1], [3, 4])))
        desk.run()
    require_as_alone(job, on.network)
    assert lines == [
        {"event": "telemetry failed", "event_kind": "RowsAsked", "error": "KeyError", "log_level": "error"}
    ]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (None, "done"),
        (Cancelled(""), "cancelled"),
        (DeadlineExceeded(""), "deadline"),
        (NotFinite(""), "not_finite"),
        (EngineFull("", 1), "refused"),
        (DamagedImage(""), "failed"),
        (KeyboardInterrupt(), "failed"),
    ],
)
def test_an_error_says_the_outcome(error: BaseException | None, outcome: Outcome) -> None:
    assert outcome_of(error) == outcome


def test_each_request_is_told_once_and_so_is_one_that_found_no_room() -> None:
    heard, on = Heard(), small()
    engine = Engine(EngineLimits(places=1), heard)
    with engine.place(on.model, rows=2, steps=3) as place:
        place.climb(ask(1, rows_of([0, 1], [3, 3])), WorkToken())
        with pytest.raises(EngineFull), engine.place(on.model):
            pass
    with pytest.raises(DamagedImage), engine.place(on.model):
        raise DamagedImage
    engine.close()
    refused, done, broken = [e for e in heard.events if isinstance(e, PlaceLeft)]
    assert (refused.rows, refused.steps, refused.outcome, refused.error) == (1, 0, "refused", "EngineFull")
    assert (done.rows, done.steps, done.outcome, done.error) == (2, 3, "done", None)
    assert done.queued_seconds > 0
    assert (broken.outcome, broken.error) == ("failed", "DamagedImage")


def test_the_load_is_counted_in_rows_and_jobs() -> None:
    engine = Engine(EngineLimits(places=4, max_step_rows=2))
    gate = Gate()
    assert engine.load() == Load(4, 0, 0, 0, 0)
    with ThreadPoolExecutor(2) as callers, gate:
        first = callers.submit(climb, engine, small(before=gate), 3)
        assert gate.reached.wait(SOON_SECONDS)
        second = callers.submit(climb, engine, small(), 2)
        wait_until(lambda: len(engine._arrived) == 1)
        assert engine.load() == Load(4, taken_places=2, queued_jobs=1, waiting_rows=1 + 2, running_rows=2)
        gate.open()
        first.result(SOON_SECONDS), second.result(SOON_SECONDS)
    assert engine.load() == Load(4, 0, 0, 0, 0)
    engine.close()


def climb(engine: Engine, on: Small, rows: int) -> None:
    with engine.place(on.model, rows=rows, steps=2) as place:
        place.climb(ask(1, rows_of([0] * rows, [2] * rows)), WorkToken())


def wait_until(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(int(SOON_SECONDS / 0.002)):
        if condition():
            return
        pause.wait(0.002)
    pytest.fail("it did not come true in time")
