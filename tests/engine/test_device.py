"""The engine with its thread: places, leaving at once, closing; under load nothing is lost and nothing hangs."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor

from app.engine.device import Engine, EngineLimits
from app.engine.jobs import Climbed
from app.engine.token import WorkToken
from app.errors import AexError, Cancelled, DeadlineExceeded, EngineFull
from tests.adversarial.tiny import random_images
from tests.engine.listening import Heard
from tests.engine.small import SOON_SECONDS, Gate, LateToken, Small, alone, ask, rows_of, small


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(EngineLimits(places=3))
    yield engine
    engine.close()


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    """Threads of their own for those who ask, as a server's."""
    with ThreadPoolExecutor(16) as threads:
        yield threads


def look(engine: Engine, on: Small, token: WorkToken | None = None, seed: int = 1) -> Tensor:
    with engine.place(on.model) as place:
        return place.look(random_images(seed, 1), token or WorkToken())


def climb(
    engine: Engine, on: Small, token: WorkToken | None = None, seed: int = 1, steps: int = 5, *, cut: bool = False
) -> Climbed:
    with engine.place(on.model, rows=2, steps=steps) as place:
        return place.climb(ask(seed, rows_of([0, 1], [steps, steps]), cut_at_deadline=cut), token or WorkToken())


def wait_for_places(engine: Engine, taken: int) -> None:
    give_up = time.monotonic() + SOON_SECONDS
    while engine.places_taken != taken:
        assert time.monotonic() < give_up, f"{engine.places_taken} places are taken, not {taken}"
        time.sleep(0.001)


def test_what_is_asked_for_comes_back(engine: Engine) -> None:
    on = small()
    torch.testing.assert_close(look(engine, on), on.network(random_images(1, 1)))
    asked = ask(1, rows_of([0, 1], [5, 5]))
    looped, _ = alone(on.network, asked)
    torch.testing.assert_close(climb(engine, on).looped.perturbation, looped.perturbation)


def test_rows_that_rest_leave_with_what_the_loop_alone_finds(engine: Engine) -> None:
    on, rows = small(), rows_of([0, 1, 2], [50, 50, 50])
    asked = ask(1, replace(rows, size_rms=1e-4 * rows.size_rms, projected=torch.tensor([True, True, False])))
    with engine.place(on.model, rows=3, steps=50) as place:
        climbed = place.climb(asked, WorkToken())
    looped, at_end = alone(on.network, asked)
    torch.testing.assert_close(climbed.looped.perturbation, looped.perturbation)
    torch.testing.assert_close(climbed.at_end, at_end)
    assert climbed.steps_made[2] == 50
    assert (climbed.steps_made[:2] < 10).all()  # so small a change is straight


def test_all_work_is_done_on_one_thread(engine: Engine) -> None:
    names: set[str] = set()
    on = small(before=lambda images: names.add(threading.current_thread().name))
    look(engine, on)
    climb(engine, on)
    assert names == {"device"}


def test_the_place_after_the_last_is_refused_and_one_given_back_is_free(engine: Engine) -> None:
    on = small()
    with engine.place(on.model), engine.place(on.model), engine.place(on.model):
        assert engine.places_taken == 3
        with pytest.raises(EngineFull, match="All 3 places are taken"), engine.place(on.model):
            pass
    assert engine.places_taken == 0


def test_a_place_is_given_back_after_an_error(engine: Engine) -> None:
    for _ in range(5):
        with pytest.raises(KeyError), engine.place(small().model):
            raise KeyError
    assert engine.places_taken == 0


def test_requests_that_would_fill_the_memory_are_refused() -> None:
    on = small()
    engine = Engine(EngineLimits(places=10, max_bytes=2 * 5 * on.model.held_bytes))
    three = partial(engine.place, on.model, rows=3, steps=1)
    with three(), pytest.raises(EngineFull, match="memory for images"), three():
        pass
    engine.close()


def test_requests_of_two_callers_share_steps(engine: Engine, callers: ThreadPoolExecutor) -> None:
    gate = Gate()
    on = small(before=gate)
    first = callers.submit(climb, engine, on)
    assert gate.reached.wait(SOON_SECONDS)
    second = callers.submit(climb, engine, on)
    wait_for_places(engine, 2)
    while not engine._arrived:
        time.sleep(0.001)
    gate.open()
    first.result(SOON_SECONDS), second.result(SOON_SECONDS)
    assert on.step.climbs == [2, 4, 4, 4, 4, 2]


def test_the_seconds_queued_are_those_before_its_first_step(engine: Engine, callers: ThreadPoolExecutor) -> None:
    on, gate = small(), Gate()
    busy = callers.submit(look, engine, small(before=gate))
    assert gate.reached.wait(SOON_SECONDS)

    def queued() -> float:
        with engine.place(on.model) as place:
            place.look(random_images(1, 1), WorkToken())
            return place.queued_seconds

    asked = callers.submit(queued)
    time.sleep(0.1)
    gate.open()
    busy.result(SOON_SECONDS)
    assert asked.result(SOON_SECONDS) > 0.02


def test_another_model_is_asked_from_the_same_place(engine: Engine) -> None:
    on, other = small(0), small(1)
    with engine.place(on.model, steps=1) as place:
        logits = place.of(other.model).look(random_images(1, 1), WorkToken())
        assert engine.places_taken == 1
    torch.testing.assert_close(logits, other.network(random_images(1, 1)))


def test_a_cancelled_token_is_not_even_queued(engine: Engine) -> None:
    token, on = WorkToken(), small()
    token.cancel()
    with pytest.raises(Cancelled):
        look(engine, on, token)
    assert not on.step.looks


@pytest.mark.parametrize("how", ["cancelled", "late"])
def test_who_is_cancelled_or_late_leaves_at_once_though_the_device_is_busy(
    engine: Engine, callers: ThreadPoolExecutor, how: str
) -> None:
    on, token = small(), WorkToken(0.05 if how == "late" else None)
    with Gate() as gate:
        busy = callers.submit(look, engine, small(before=gate))
        assert gate.reached.wait(SOON_SECONDS)
        asked = callers.submit(climb, engine, on, token)
        wait_for_places(engine, 2)
        if how == "cancelled":
            token.cancel()
        with pytest.raises(DeadlineExceeded if how == "late" else Cancelled):
            asked.result(SOON_SECONDS)
        wait_for_places(engine, 1)
        assert not busy.done()
    busy.result(SOON_SECONDS)
    look(engine, small())
    assert not on.step.climbs


def test_who_leaves_frees_its_rows_within_one_step(engine: Engine, callers: ThreadPoolExecutor) -> None:
    on, token = small(before=lambda images: time.sleep(0.001)), WorkToken()
    endless = callers.submit(climb, engine, on, token, 1, 1_000_000)
    while not on.step.climbs:
        time.sleep(0.001)
    token.cancel()
    with pytest.raises(Cancelled):
        endless.result(SOON_SECONDS)
    look(engine, small())
    made = len(on.step.climbs)
    look(engine, small())
    assert len(on.step.climbs) == made


def test_rows_cut_at_their_deadline_come_back_with_what_they_have(engine: Engine) -> None:
    token = LateToken()

    def be_late_in_the_third_step(images: Tensor) -> None:
        del images
        if len(on.step.climbs) == 2:
            token.be_late()

    on = small(before=be_late_in_the_third_step)
    climbed = climb(engine, on, token, steps=1_000_000, cut=True)
    assert climbed.steps_made.tolist() == [3, 3]
    assert climbed.cut_short.all()
    assert climb(engine, on, token, steps=1_000_000, cut=True).steps_made.tolist() == [0, 0]


def test_who_waits_past_its_deadline_for_what_there_is_leaves_at_once_when_cancelled(
    engine: Engine, callers: ThreadPoolExecutor
) -> None:
    token = WorkToken(0.0)
    with Gate() as gate:
        busy = callers.submit(look, engine, small(before=gate))
        assert gate.reached.wait(SOON_SECONDS)
        asked = callers.submit(partial(climb, engine, small(), token, cut=True))
        wait_for_places(engine, 2)
        token.cancel()
        with pytest.raises(Cancelled):
            asked.result(SOON_SECONDS)
        assert not busy.done()
    busy.result(SOON_SECONDS)


def test_an_error_stays_with_its_own_request(engine: Engine) -> None:
    def fail(_: Tensor) -> None:
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        look(engine, small(before=fail))
    look(engine, small())


def test_a_fault_of_the_engine_itself_is_told_and_survived(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ZeroDivisionError("ours")

    with monkeypatch.context() as patch:
        patch.setattr(engine._runner, "step", fail)
        with pytest.raises(RuntimeError, match="the device's thread failed") as failed:
            look(engine, small())
    assert isinstance(failed.value.__cause__, ZeroDivisionError)
    look(engine, small())


def test_closing_finishes_the_step_in_hand_and_tells_everybody(callers: ThreadPoolExecutor) -> None:
    engine, gate = Engine(EngineLimits(places=3)), Gate()
    on = small(before=gate)
    begun = callers.submit(climb, engine, on)
    assert gate.reached.wait(SOON_SECONDS)
    waits = callers.submit(look, engine, small())
    wait_for_places(engine, 2)
    while not engine._arrived:
        time.sleep(0.001)
    closing = callers.submit(engine.close)
    while not engine._closed:
        time.sleep(0.001)
    assert not closing.done()
    gate.open()
    closing.result(SOON_SECONDS)
    for told in (begun, waits):
        with pytest.raises(EngineFull, match="The server is stopping and takes no more work; come again"):
            told.result(SOON_SECONDS)
    assert on.step.climbs == [2]


def test_a_closed_engine_takes_no_work_and_closes_again(engine: Engine) -> None:
    engine.close()
    engine.close()
    with pytest.raises(EngineFull, match="The server is stopping"):
        look(engine, small())


def test_under_load_every_request_is_answered_and_every_answer_is_right(callers: ThreadPoolExecutor) -> None:
    """Predictions among explanations on two good models and one of NaN; some vanish, are late, or are cut short."""
    heard = Heard()
    engine = Engine(EngineLimits(places=16, max_step_rows=6, max_wait_seconds=1e9), heard)
    good, poisoned = [small(1), small(2)], small(3)
    next(iter(poisoned.network.parameters())).fill_(torch.nan)
    expected = {
        (on, seed): (on.network(random_images(seed, 1)), alone(on.network, ask(seed, rows_of([0, 1], [7, 7])))[0])
        for on in good
        for seed in range(3)
    }
    outcomes: Counter[str] = Counter()

    def request(number: int) -> str:
        chance = random.Random(number)
        on, seed, token = chance.choice(good), chance.randrange(3), WorkToken()
        kind = chance.choice(["look", "look", "look", "climb", "poison", "vanish", "late", "cut"])
        if kind == "look":
            torch.testing.assert_close(look(engine, on, seed=seed), expected[on, seed][0])
        elif kind == "climb":
            climbed = climb(engine, on, seed=seed, steps=7)
            torch.testing.assert_close(climbed.looped.perturbation, expected[on, seed][1].perturbation)
        elif kind == "poison":
            assert climb(engine, poisoned).looped.non_finite_step.tolist() == [0, 0]
        elif kind == "cut":
            token = WorkToken(chance.uniform(0.0, 0.02))
            assert climb(engine, on, token, steps=1_000_000, cut=True).cut_short.all()
        else:
            token = WorkToken(chance.uniform(0.0, 0.02) if kind == "late" else None)
            if kind == "vanish":
                threading.Timer(chance.uniform(0.0, 0.02), token.cancel).start()
            try:
                climb(engine, on, token, steps=1_000_000)
            except AexError as error:
                return f"{kind}: {type(error).__name__}"
        return kind

    answers: list[Future[str]] = [callers.submit(request, number) for number in range(150)]
    for answer in answers:
        outcomes[answer.result(4 * SOON_SECONDS)] += 1
    assert outcomes.total() == 150
    assert set(outcomes) == {"look", "climb", "poison", "vanish: Cancelled", "late: DeadlineExceeded", "cut"}
    assert engine.places_taken == 0
    engine.close()
    assert not engine._runner._batches
    assert not len(engine._runner)
    assert heard.ended_rows == heard.asked_rows
    assert heard.outcomes["not_finite"] == 2 * outcomes["poison"]
    assert heard.outcomes["cut_short"] == 2 * outcomes["cut"]
    assert heard.outcomes["done"] == outcomes["look"] + 2 * outcomes["climb"]
    assert heard.places["cancelled"] == outcomes["vanish: Cancelled"]
    assert heard.places["deadline"] == outcomes["late: DeadlineExceeded"]
    assert heard.places.total() == 150


def test_ten_thousand_predictions_beside_explanations_are_all_made(callers: ThreadPoolExecutor) -> None:
    heard, on = Heard(), small()
    engine = Engine(EngineLimits(places=16), heard)
    images = random_images(1, 50)
    expected = on.network(images)
    over, climbs = threading.Event(), Counter[str]()

    def explain() -> None:
        while not over.is_set():
            climb(engine, on, steps=20)
            climbs["made"] += 1

    def predict(_: int) -> None:
        with engine.place(on.model, rows=50) as place:
            torch.testing.assert_close(place.look(images, WorkToken()), expected)

    explaining = [callers.submit(explain) for _ in range(2)]
    list(callers.map(predict, range(200)))
    over.set()
    for each in explaining:
        each.result(SOON_SECONDS)
    assert climbs["made"] >= 2
    assert sum(on.step.looks) == heard.made_rows["look"] == 10_000 + 2 * climbs["made"]
    assert sum(on.step.climbs) == heard.made_rows["climb"] == 20 * 2 * climbs["made"]
    engine.close()
    assert heard.outcomes == {"done": 10_000 + 2 * climbs["made"]} == {"done": heard.asked_rows.total()}
    assert heard.places == {"done": 200 + climbs["made"]}
