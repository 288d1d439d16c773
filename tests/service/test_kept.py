"""What is kept of explanations: for how long, in how much memory, and what is said of those that are gone."""

import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.errors import ExplanationGone, UnknownExplanation
from app.images.animation import AnimatedPicture
from app.networks.description import ModelDescription
from app.service import kept as room
from app.service.explaining.verdict import verdict_of
from app.service.kept import KeptResults, bytes_of
from app.service.options import ExplainOptions
from app.service.results.explanation import ExplainResult, Record, TargetExplanation
from app.service.results.facts import (
    ClassProbability,
    DrawnPicture,
    ImageFacts,
    InDistribution,
    ModelFacts,
    Prediction,
    Region,
)
from app.service.results.quality import AgreementTable, MethodCost, Reason
from tests.networks.small import small_description

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
DESCRIPTION: ModelDescription = small_description()


KINDS = ("heatmap", "explained")


def record(
    name: str, *, upload: int = 100, picture: int = 1000, targets: int = 2, classes: int = 3, sweep: int = 0,
    methods: int = 1,
) -> Record:  # fmt: skip
    """One with files of so many bytes, none of them shared with another record."""

    def table() -> tuple[tuple[float, ...], ...]:
        return tuple(tuple(row / (7 + column) for column in range(methods)) for row in range(methods))

    def top(first: int) -> tuple[ClassProbability, ...]:
        return tuple(ClassProbability("cat", first + number, number / 1e6) for number in range(1000, 1000 + classes))

    names = tuple(map(str, range(methods)))
    explanations = tuple(
        TargetExplanation(
            target="cat", target_id=number, role="named", against=None, against_id=None, direction="encourage",
            method="fast", probability_before=number / 7, probability_after=number / 3, margin_before=None,
            margin_after=None, rho=0.1, perturbation_rms=0.1 * number, perturbation_l2=0.3 * number, steps=8,
            cut_short=False, converged=True, goal_met=True, changed_class_to=None,
            top_after=top(1 + number), methods={method: MethodCost(8, 2) for method in names},
            agreement=None if methods == 1 else AgreementTable(names, table(), table()),
            pictures={kind: DrawnPicture(bytes(picture), 8, 8, scale=0.1 * number) for kind in KINDS},
            animation=AnimatedPicture(bytes(picture), 8, 8, sweep, 1.0) if sweep else None,
            verdict=verdict_of([Reason(about, "low", f"{about} {number}" + "x" * 120) for about in "abcd"]),
        )
        for number in range(targets)
    )  # fmt: skip
    explanations = tuple(
        replace(one, sweep=tuple(swept(one, number, picture, top(number)) for number in range(sweep)))
        for one in explanations
    )
    result = ExplainResult(
        id=name,
        created=NOON,
        model=ModelFacts("tiny", "0" * 64, 8, 8, 3, "stretch"),
        image=ImageFacts("0" * 64, "PNG", 8, 8, Region(0, 0, 8, 8), None, None, None, None, None, ()),
        prediction=Prediction(top(0)),
        in_distribution=InDistribution(1 / 3, 1 / 7, 1 / 11, "inside", "x" * 150 + name),
        explanations=explanations,
        timing_ms={"queued": 1.0, "decode": 2.0, "explain": 3.0, "render": 4.0},
        second_opinion=None,
        original=DrawnPicture(bytes(picture), 8, 8),
        sheet=None,
        arrays_npz=None,
    )
    return Record(result, bytes(upload), ExplainOptions(), DESCRIPTION)


def swept(one: TargetExplanation, number: int, picture: int, top: tuple[ClassProbability, ...]) -> TargetExplanation:
    return replace(
        one,
        rho=number / 9,
        probability_after=number / 11,
        perturbation_rms=number / 13,
        perturbation_l2=number / 17,
        top_after=top,
        methods={name: MethodCost(number + 1000, 2) for name in one.methods},
        pictures={"explained": DrawnPicture(bytes(picture), 8, 8)},
        verdict=None,
    )


class Clock:
    """Stands still until it is put forward."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


def test_what_is_kept_is_found_and_says_until_when() -> None:
    kept = KeptResults(max_bytes=10**6, seconds=60, now=Clock())
    mine = kept.keep(record("a"))
    assert mine.result.kept_until == NOON + timedelta(seconds=60)
    assert kept.get("a") is mine


def test_its_time_is_over_to_the_second_and_it_is_said_to_be_gone() -> None:
    clock = Clock()
    kept = KeptResults(max_bytes=10**6, seconds=60, now=clock)
    kept.keep(record("a"))
    clock.now += timedelta(seconds=59.9)
    kept.get("a")
    clock.now += timedelta(seconds=0.1)
    with pytest.raises(ExplanationGone, match="kept for 60 s, which are over"):
        kept.get("a")
    assert (kept.load().results, kept.load().bytes, kept.load().gone) == (0, 0, {"expired": 1})


def test_what_nobody_asks_for_is_freed_in_its_time() -> None:
    clock = Clock()
    kept = KeptResults(max_bytes=10**6, seconds=60, now=clock)
    kept.keep(record("a"))
    clock.now += timedelta(seconds=61)
    kept.forget_expired()
    assert kept._held == {}


def test_the_oldest_make_room_for_the_newest() -> None:
    size = bytes_of(record("a"))
    kept = KeptResults(max_bytes=2 * size + size // 2, seconds=60)
    for name in "abc":
        kept.keep(record(name))
    assert (kept.load().results, kept.load().bytes) == (2, 2 * size)
    kept.get("b")
    kept.get("c")
    with pytest.raises(ExplanationGone, match="had to make room"):
        kept.get("a")


def test_one_that_is_too_large_is_not_kept_and_drives_none_out() -> None:
    kept = KeptResults(max_bytes=20_000, seconds=60)
    kept.keep(record("a"))
    assert kept.keep(record("large", upload=20_000)).result.kept_until is None
    kept.get("a")
    with pytest.raises(UnknownExplanation):
        kept.get("large")


def test_identical_ones_are_kept_each_for_itself() -> None:
    """Whoever deletes theirs does not delete another's, and each is counted, since each holds bytes of its own."""
    kept = KeptResults(max_bytes=10**6, seconds=60)
    for name in "abc":
        kept.keep(record(name))
    assert kept.load().bytes == 3 * bytes_of(record("a"))
    kept.delete("b")
    with pytest.raises(ExplanationGone, match="was deleted"):
        kept.get("b")
    assert [kept.get(name).result.id for name in "ac"] == ["a", "c"]
    assert kept.load().gone == {"deleted": 1}


@pytest.mark.parametrize("ask", [KeptResults.get, KeptResults.delete])
def test_one_that_never_was_is_unknown(ask: Callable[[KeptResults, str], object]) -> None:
    with pytest.raises(UnknownExplanation, match="kept for 60 s at the most"):
        ask(KeptResults(max_bytes=10**6, seconds=60), "never")


def test_zero_seconds_keep_nothing() -> None:
    kept = KeptResults(max_bytes=10**6, seconds=0)
    assert kept.keep(record("a")).result.kept_until is None
    with pytest.raises(UnknownExplanation, match="it is not kept here"):
        kept.get("a")


def test_ids_that_are_gone_are_remembered_in_bounded_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "REMEMBERED_IDS", 2)
    kept = KeptResults(max_bytes=10**6, seconds=60)
    for name in "abc":
        kept.keep(record(name))
        kept.delete(name)
    for name, said in (("a", UnknownExplanation), ("b", ExplanationGone), ("c", ExplanationGone)):
        with pytest.raises(said):
            kept.get(name)


@pytest.mark.parametrize(
    "sizes",
    [
        {},
        {"upload": 200_000, "picture": 50_000},
        {"picture": 10},
        {"targets": 64},
        {"classes": 3000},
        {"sweep": 8},
        {"methods": 6},
    ],
    ids=str,
)
def test_the_bytes_counted_are_those_that_python_takes(sizes: dict[str, int]) -> None:
    """As its own allocator counts them; a few too many rather than too few."""
    kept = KeptResults(max_bytes=10**9, seconds=60)
    kept.keep(record("first", **sizes))
    gc.collect()
    tracemalloc.start()
    try:
        counted_before, taken_before = kept.load().bytes, tracemalloc.get_traced_memory()[0]
        for number in range(10):
            kept.keep(record(str(number), **sizes))
        gc.collect()
        counted, taken = kept.load().bytes - counted_before, tracemalloc.get_traced_memory()[0] - taken_before
    finally:
        tracemalloc.stop()
    assert taken <= counted <= 2 * taken
