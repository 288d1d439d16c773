"""Numbers in words, each written down beforehand."""

from dataclasses import replace

import pytest

from app.reports.words import (
    outcome,
    part_in_words,
    percent,
    printable,
    second_in_words,
    seen_in_words,
    title_of,
    wish,
)
from app.service.results.explanation import Record, TargetExplanation
from app.service.results.facts import ClassProbability, LevelWindow, ModelFacts, Prediction, Region, SecondOpinion


@pytest.fixture
def one(record: Record) -> TargetExplanation:
    """It makes the image more of a dog, from 12.3% to 66.1%."""
    return replace(
        record.result.explanations[0],
        target="dog", against=None, direction="encourage", probability_before=0.1234, probability_after=0.6612,
        perturbation_rms=0.09978, converged=True, goal_met=True, changed_class_to="dog",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("probability", "said"),
    [
        (0.4031, "40.3%"),
        (0.0, "0.0%"),
        (1.0, "100.0%"),
        (1e-9, "under 0.1%"),
        (0.0006, "0.1%"),
        (0.9999, "over 99.9%"),
    ],
)
def test_a_probability_is_a_percentage_and_never_certain_by_rounding(probability: float, said: str) -> None:
    assert percent(probability) == said


def test_what_was_searched_for_is_a_sentence_with_its_size(one: TargetExplanation) -> None:
    assert title_of(one) == "More of dog"
    assert wish(one) == (
        "To be more of dog, the image was changed by RMS 0.0998 (of pixel levels from 0, black, to 1, white)."
    )
    assert title_of(replace(one, direction="discourage", against="cat")) == "Less of dog, rather than cat"


def test_what_came_of_it_is_a_sentence_with_both_probabilities(one: TargetExplanation) -> None:
    assert outcome(one, "cat") == (
        "The probability of dog rises from 12.3% to 66.1%, and the changed image is read as dog in place of cat."
    )
    less = replace(one, probability_after=0.02, changed_class_to=None)
    assert outcome(less, "cat") == (
        "The probability of dog falls from 12.3% to 2.0%, and the changed image is still read as cat."
    )


def test_what_is_not_to_be_relied_on_says_so(one: TargetExplanation) -> None:
    assert outcome(replace(one, converged=False, goal_met=False), "cat").endswith("asked for: do not rely on it.")
    assert outcome(replace(one, goal_met=False), "cat").endswith("there is nothing to be read from it.")
    assert "time was over" in outcome(replace(one, cut_short=True, converged=False), "cat")
    assert "stays at 12.3%" in outcome(replace(one, probability_after=0.1233), "cat")


def test_a_second_opinion_says_whether_it_agrees(record: Record) -> None:
    plain = replace(record.result.model, name="twin")
    read_as = Prediction((ClassProbability("dog", 1, 0.875), ClassProbability("cat", 0, 0.125)))
    second = SecondOpinion(plain, read_as, agrees=False)
    assert second_in_words(second) == "Its plain twin twin disagrees: it reads dog (87.5%)."
    assert "twin agrees" in second_in_words(replace(second, agrees=True))


def test_the_part_that_was_seen_is_said_where_it_is_not_all(record: Record) -> None:
    model = ModelFacts("m", "0" * 64, 8, 10, 3, "center_crop")
    image = replace(record.result.image, width=40, height=20, seen=Region(10, 0, 25, 20))
    assert seen_in_words(image, model) == "25 x 20 pixels from (10, 0), at 10 x 8 pixels"
    assert seen_in_words(replace(image, seen=Region(0, 0, 40, 20)), model) == "all of it, at 10 x 8 pixels"


def test_the_part_of_the_file_is_said_where_it_has_parts(record: Record) -> None:
    image = record.result.image
    assert part_in_words(image) == ""
    assert part_in_words(replace(image, page=2, pages=9)) == "page 2 of 9"
    scan = replace(image, frame=1, frames=30, window=LevelWindow(40.0, 400.0))
    assert part_in_words(scan) == "frame 1 of 30, levels of a window at 40, 400 wide"


def test_names_are_one_line_of_signs_that_can_be_shown() -> None:
    assert printable("a\n b\u202e\x00\udcff猫") == "a b\ufffd\ufffd\ufffd猫"
