"""The engine: places, order of arrival, leaving the queue at once, errors that stay with their own work, closing."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from app.engine.device import Engine
from app.engine.token import WorkToken
from app.errors import AexError, Cancelled, DeadlineExceeded, EngineFull

SOON = 5.0  # seconds after which a test has failed rather than waited


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(places=3)
    yield engine
    engine.close()


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    """Threads of their own for those who ask, as a server's."""
    with ThreadPoolExecutor(8) as threads:
        yield threads


class Busy:
    """Keeps an engine's thread at work inside the block, until `let_go`."""

    def __init__(self, engine: Engine, callers: ThreadPoolExecutor) -> None:
        self._began, self._go = threading.Event(), threading.Event()
        self.asked = callers.submit(engine.run, self._work, WorkToken())

    def _work(self) -> str:
        self._began.set()
        assert self._go.wait(SOON)
        return "done"

    def __enter__(self) -> "Busy":
        assert self._began.wait(SOON)
        return self

    def let_go(self) -> None:
        self._go.set()

    def __exit__(self, *_: object) -> None:
        self.let_go()


def ask(engine: Engine, callers: ThreadPoolExecutor, work: Callable[[], object], token: WorkToken) -> Future[object]:
    """Ask in a thread, and come back when the engine has it in its queue."""
    queue = engine._device_thread._work_queue
    before = queue.qsize()
    asked: Future[object] = callers.submit(lambda: engine.run(work, token)[0])
    give_up = time.monotonic() + SOON
    while queue.qsize() == before and time.monotonic() < give_up:
        time.sleep(0.001)
    return asked


def test_no_places_are_refused() -> None:
    with pytest.raises(ValueError, match="give at least 1"):
        Engine(places=0)


def test_the_place_after_the_last_is_refused_and_says_when_to_come_again(engine: Engine) -> None:
    with engine.place(), engine.place(), engine.place():
        assert engine.places_taken == 3
        with pytest.raises(EngineFull, match="All 3 places are taken; come again in about 1 s") as full, engine.place():
            pass
        assert full.value.retry_after_seconds == 1
    assert engine.places_taken == 0


def test_a_place_is_given_back_after_an_error(engine: Engine) -> None:
    for _ in range(5):
        with pytest.raises(KeyError), engine.place():
            raise KeyError
    assert engine.places_taken == 0


def test_retry_after_follows_the_time_requests_are_inside(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in range(40):
        with engine.place():
            now[0] += 30.0
    with engine.place(), engine.place(), engine.place(), pytest.raises(EngineFull) as full, engine.place():
        pass
    assert full.value.retry_after_seconds == 30


def test_work_is_done_on_the_device_thread_and_its_result_comes_back(engine: Engine) -> None:
    names = [engine.run(lambda: threading.current_thread().name, WorkToken())[0] for _ in range(2)]
    assert names == ["device_0", "device_0"]


def test_work_is_done_in_the_order_it_came(engine: Engine, callers: ThreadPoolExecutor) -> None:
    done: list[int] = []
    with Busy(engine, callers) as busy:
        asked = [ask(engine, callers, lambda i=i: done.append(i), WorkToken()) for i in range(6)]  # type: ignore[misc]  # mypy cannot infer a lambda's default
        busy.let_go()
        for each in asked:
            each.result(SOON)
    assert done == list(range(6))


def test_the_seconds_queued_are_those_before_the_work_began(engine: Engine, callers: ThreadPoolExecutor) -> None:
    with Busy(engine, callers) as busy:
        asked = callers.submit(engine.run, lambda: time.sleep(0.2), WorkToken())
        time.sleep(0.1)
        busy.let_go()
        _, queued = asked.result(SOON)
    assert 0.05 < queued < 0.2
    assert busy.asked.result(SOON)[1] < 0.05


def test_an_error_stays_with_its_own_work(engine: Engine) -> None:
    def fail() -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        engine.run(fail, WorkToken())
    assert engine.run(lambda: 7, WorkToken())[0] == 7


def test_work_that_times_out_by_itself_is_not_taken_for_the_deadline(engine: Engine) -> None:
    def fail() -> None:
        raise TimeoutError("of the work")

    with pytest.raises(TimeoutError, match="of the work"):
        engine.run(fail, WorkToken(60))


def test_a_cancelled_token_is_not_even_queued(engine: Engine) -> None:
    token = WorkToken()
    token.cancel()
    with pytest.raises(Cancelled):
        engine.run(pytest.fail, token)


def test_who_is_cancelled_in_the_queue_leaves_at_once_and_frees_the_place(
    engine: Engine, callers: ThreadPoolExecutor
) -> None:
    ran: list[int] = []
    token = WorkToken()

    def request() -> None:
        with engine.place():
            engine.run(lambda: ran.append(1), token)

    with Busy(engine, callers) as busy:
        asked = callers.submit(request)
        while not engine.places_taken:
            time.sleep(0.001)
        token.cancel()
        with pytest.raises(Cancelled):
            asked.result(SOON)
        assert engine.places_taken == 0
        assert not busy.asked.done()
        busy.let_go()
    engine.run(lambda: None, WorkToken())
    assert not ran


def test_who_is_late_in_the_queue_leaves_at_the_deadline(engine: Engine, callers: ThreadPoolExecutor) -> None:
    ran: list[int] = []
    with Busy(engine, callers) as busy:
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="within 50 ms"):
            engine.run(lambda: ran.append(1), WorkToken(0.05))
        assert time.monotonic() - began < SOON / 2
        assert not busy.asked.done()
        busy.let_go()
    engine.run(lambda: None, WorkToken())
    assert not ran


def test_who_leaves_the_queue_leaves_nothing_in_memory(engine: Engine, callers: ThreadPoolExecutor) -> None:
    class Image:
        def use(self) -> None:
            """Stand for work that holds an image."""

    image = Image()
    gone = weakref.ref(image)
    with Busy(engine, callers):
        with pytest.raises(DeadlineExceeded):
            engine.run(image.use, WorkToken(0.02))
        del image
        gc.collect()
        assert gone() is None


@pytest.mark.parametrize("how", ["cancel", "deadline"])
def test_work_that_began_is_told_by_its_token_and_waited_for(
    engine: Engine, callers: ThreadPoolExecutor, how: str
) -> None:
    token = WorkToken(0.05 if how == "deadline" else None)
    steps: list[int] = []

    def work() -> None:
        while True:
            token.check()
            steps.append(1)
            time.sleep(0.001)

    asked = callers.submit(engine.run, work, token)
    while not steps:
        time.sleep(0.001)
    if how == "cancel":
        token.cancel()
    expected: type[AexError] = Cancelled if how == "cancel" else DeadlineExceeded
    with pytest.raises(expected):
        asked.result(SOON)


def test_closing_finishes_the_work_in_hand_and_drops_what_waits(callers: ThreadPoolExecutor) -> None:
    engine = Engine(places=3)
    ran: list[int] = []
    with Busy(engine, callers) as busy:
        waits = ask(engine, callers, lambda: ran.append(1), WorkToken())
        closing = callers.submit(engine.close)
        with pytest.raises(EngineFull, match="The server is stopping and takes no more work; come again") as stopping:
            waits.result(SOON)
        assert stopping.value.retry_after_seconds >= 1
        assert not closing.done()
        busy.let_go()
        assert busy.asked.result(SOON)[0] == "done"
        closing.result(SOON)
    assert not ran


def test_a_closed_engine_takes_no_work_and_closes_again(engine: Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineFull, match="The server is stopping"):
        engine.run(pytest.fail, WorkToken())
