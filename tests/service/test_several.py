"""Several pages of one file: each as by itself, the broken ones said, all of them within bounds."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path

import pytest

from app.engine.device import Engine, EngineLimits
from app.engine.telemetry import StepMade
from app.engine.token import WorkToken
from app.errors import (
    AexError,
    AnswerTooLarge,
    Cancelled,
    DamagedImage,
    DeadlineExceeded,
    EngineFull,
    NoSuchPart,
    OptionError,
    TooManyParts,
)
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.kept import KeptResults
from app.service.options import ExplainOptions, PredictOptions
from app.service.several import PartsAsked, Several, SeveralLimits
from tests.engine.listening import Heard
from tests.images.apart.bombs import chain
from tests.images.apart.files import pdf
from tests.images.test_tiff_pages import tiff_of
from tests.service.test_explainer import LIMITS, save_model

COLORS = (b"1 0 0 rg 0 0 72 72 re f", b"0 0 1 rg 0 0 144 36 re f", b"0 1 0 rg 40 0 60 60 re f", b"", b"0 0 9 9 re f")
LETTER = pdf(*COLORS)
ALL = PartsAsked("page", None)
BOUNDS = SeveralLimits(max_parts=50, max_bytes=10**8, at_once=4)

PATIENT = replace(LIMITS, max_seconds=60)  # four processes that start at once take their time


class House:
    """An engine with an explainer on it; `heard` is all that the engine told."""

    def __init__(self, models: Path, places: int = 8) -> None:
        self.heard, self.kept = Heard(), KeptResults(max_bytes=10**8, seconds=3600)
        self.engine = Engine(EngineLimits(places=places), self.heard)
        catalogue = Catalogue(models, "cpu", "stretch")
        self.explainer = Explainer(catalogue, self.engine, decode_limits=PATIENT, max_rows=3, kept=self.kept)

    def several(self, limits: SeveralLimits = BOUNDS) -> Several:
        return Several(self.explainer, PATIENT, limits)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    save_model(tmp_path / "stretch")
    built = House(tmp_path)
    yield built
    built.engine.close()


def test_each_page_is_answered_as_by_itself(house: House) -> None:
    options = ExplainOptions(targets=("dog",), steps=4)
    found = house.several().explain(LETTER, ALL, options, WorkToken())
    assert [(one.kind, one.number, one.error) for one in found] == [("page", n, None) for n in range(1, 6)]
    for one in found:
        alone = house.explainer.explain(LETTER, ExplainOptions(targets=("dog",), steps=4, page=one.number), WorkToken())
        assert one.result is not None
        result = one.result.result
        assert result.image == alone.image
        assert result.explanations[0].probability_after == pytest.approx(alone.explanations[0].probability_after)
        assert house.explainer.find(result.id).result.image.page == one.number


def test_pages_come_in_the_order_asked_for_and_once(house: House) -> None:
    found = house.several().predict(LETTER, PartsAsked("page", ((4, 5), (1, 1), (5, 5))), PredictOptions(), WorkToken())
    assert [one.number for one in found] == [4, 5, 1]


def test_rows_of_several_pages_share_steps(house: House) -> None:
    """Of five pages at one target, worked on by one thread each, some steps hold more than one row."""
    limits = SeveralLimits(max_parts=50, max_bytes=10**8, at_once=5)
    house.several(limits).explain(LETTER, ALL, ExplainOptions(targets=("dog",), steps=200, method="paper"), WorkToken())
    steps = [event for event in house.heard.events if isinstance(event, StepMade) and event.kind == "climb"]
    assert max(step.rows for step in steps) > 1
    assert len(steps) < 5 * 200


def test_no_more_are_worked_on_at_once_than_is_allowed(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, most, lock, predict = 0, 0, threading.Lock(), house.explainer.predict

    def counted(data: bytes, options: PredictOptions, token: WorkToken) -> object:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        try:
            time.sleep(0.02)
            return predict(data, options, token)
        finally:
            with lock:
                inside -= 1

    monkeypatch.setattr(house.explainer, "predict", counted)
    limits = SeveralLimits(max_parts=50, max_bytes=10**8, at_once=2)
    assert len(house.several(limits).predict(LETTER, ALL, PredictOptions(), WorkToken())) == 5
    assert most == 2


def test_each_page_is_worked_on_in_the_context_of_its_request(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that what is logged of it has the request's id."""
    request: ContextVar[str] = ContextVar("request")
    seen, predict = [], house.explainer.predict

    def looking(data: bytes, options: PredictOptions, token: WorkToken) -> object:
        seen.append(request.get("none"))
        return predict(data, options, token)

    monkeypatch.setattr(house.explainer, "predict", looking)
    request.set("mine")
    house.several().predict(LETTER, ALL, PredictOptions(), WorkToken())
    assert seen == ["mine"] * 5


def test_what_is_wrong_with_one_page_is_said_of_it_alone(house: House) -> None:
    """The third page is smaller than the region."""
    options = PredictOptions(region=(0, 0, 8, 6))
    found = house.several().predict(tiff_of(), PartsAsked("page", ((1, 4),)), options, WorkToken())
    assert [one.result is not None for one in found] == [True, True, False, False]
    assert str(found[2].error) == "The region ends at 8, 6; the image has 5 x 4 pixels."
    assert isinstance(found[3].error, NoSuchPart)


def test_a_damaged_first_page_leaves_the_others(house: House) -> None:
    whole = tiff_of(compression="tiff_deflate")
    at = whole.index(b"\x78\x9c") if b"\x78\x9c" in whole else whole.index(b"\x78\xda")
    found = house.several().predict(whole[: at + 2] + bytes(12) + whole[at + 14 :], ALL, PredictOptions(), WorkToken())
    assert [type(one.error) for one in found] == [DamagedImage, type(None), type(None)]


@pytest.mark.parametrize(
    ("data", "asked", "error", "sentence"),
    [
        (pdf(*[b""] * 10_000), ALL, TooManyParts, "The file has 10000 pages; at most 50 are answered in one request"),
        (LETTER, PartsAsked("page", ((1, 999_999),)), TooManyParts, "999999 pages are named; at most 50"),
        (chain(1_000_000, last=0), ALL, DamagedImage, "more than 10000 pages"),
        (LETTER, PartsAsked("frame", None), NoSuchPart, "frame is not for a PDF, which has pages; give page."),
    ],
    ids=["a PDF", "a list", "a TIFF", "frames"],
)
def test_too_many_are_refused_soon(
    house: House, data: bytes, asked: PartsAsked, error: type[AexError], sentence: str
) -> None:
    limits = LIMITS.__class__(max_bytes=20_000_000, max_pixels=1 << 20, max_seconds=30)
    began = time.monotonic()
    with pytest.raises(error, match=sentence):
        Several(house.explainer, limits, BOUNDS).predict(data, asked, PredictOptions(), WorkToken())
    assert time.monotonic() - began < 10


def test_what_would_be_right_is_said() -> None:
    with pytest.raises(TooManyParts, match=r"ask for pages=1-2, then for pages=3-4\."):
        ALL.numbers(lambda: 3, 2)


def test_what_is_wrong_with_the_question_is_raised_once(house: House) -> None:
    with pytest.raises(OptionError, match="nobody"):
        house.several().explain(LETTER, ALL, ExplainOptions(targets=("nobody",)), WorkToken())


def test_a_deadline_before_the_first_page_is_the_deadline_of_all(house: House) -> None:
    with pytest.raises(DeadlineExceeded):
        house.several().explain(LETTER, ALL, ExplainOptions(), WorkToken(timeout_seconds=0))


def test_pages_that_are_late_are_said_beside_those_that_are_there(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = house.explainer.predict

    def slow(data: bytes, options: PredictOptions, token: WorkToken) -> object:
        found = predict(data, options, token)
        time.sleep(0.6)
        return found

    monkeypatch.setattr(house.explainer, "predict", slow)
    limits = SeveralLimits(max_parts=50, max_bytes=10**8, at_once=1)
    found = house.several(limits).predict(LETTER, ALL, PredictOptions(), WorkToken(timeout_seconds=1))
    assert found[0].result is not None
    assert {type(one.error) for one in found[2:]} == {DeadlineExceeded}


def test_cancelling_ends_all_of_them_and_nothing_is_kept(house: House) -> None:
    token = WorkToken()
    threading.Timer(0.3, token.cancel).start()
    limits = SeveralLimits(max_parts=500, max_bytes=10**8, at_once=2)
    began = time.monotonic()
    with pytest.raises(Cancelled):
        house.several(limits).explain(pdf(*[b""] * 500), ALL, ExplainOptions(steps=1000, method="paper"), token)
    assert time.monotonic() - began < 10
    assert house.kept.load().results == 0
    assert house.engine.places_taken == 0


@pytest.fixture
def narrow(tmp_path: Path) -> Iterator[House]:
    """With two places."""
    save_model(tmp_path / "stretch")
    built = House(tmp_path, places=2)
    yield built
    built.engine.close()


def test_a_full_engine_refuses_all_at_once(narrow: House, tmp_path: Path) -> None:
    model = Catalogue(tmp_path, "cpu", "stretch").served(None).model
    began = time.monotonic()
    with ExitStack() as full:
        for _ in range(2):
            full.enter_context(narrow.engine.place(model))
        with pytest.raises(EngineFull):
            narrow.several().predict(LETTER, ALL, PredictOptions(), WorkToken())
    assert time.monotonic() - began < 5


def test_with_one_place_left_the_pages_wait_for_each_other(narrow: House, tmp_path: Path) -> None:
    """Whichever of the four that begin together comes in first; looked at several times, because that is chance."""
    model = Catalogue(tmp_path, "cpu", "stretch").served(None).model
    with narrow.engine.place(model):
        for _ in range(5):
            found = narrow.several().explain(LETTER, ALL, ExplainOptions(targets=("dog",), steps=20), WorkToken())
            assert [one.error for one in found] == [None] * 5


def test_pages_without_room_in_the_answer_say_so(house: House) -> None:
    limits = SeveralLimits(max_parts=50, max_bytes=1, at_once=1)
    found = house.several(limits).explain(LETTER, ALL, ExplainOptions(targets=("dog",), steps=1), WorkToken())
    assert {type(one.error) for one in found} == {AnswerTooLarge}
    assert house.kept.load().results == 0
