"""How far an explanation is to be relied on: each thing measured, alone and beside the others."""

from dataclasses import replace
from typing import Any

import pytest

from app.networks.calibration import Calibration, GainCalibration, StabilityCalibration
from app.service.explaining.verdict import gain_per_rms, reasons_for, verdict_of
from app.service.results.explanation import TargetExplanation
from app.service.results.facts import ClassProbability, InDistribution, ModelFacts, Prediction, SecondOpinion
from app.service.results.quality import (
    BaselineAreas,
    ExplanationQuality,
    JudgeReading,
    Level,
    MapQuality,
    MethodCost,
    Reason,
    Verdict,
)

INSIDE = InDistribution(0.5, 1.0, 40, "inside", "It lies inside.")
OUTSIDE = InDistribution(2.0, 1.0, 100, "outside", "It lies outside.")
CALIBRATION = Calibration(
    gain=GainCalibration(
        rho=0.1, encourage_predicted=1, encourage_other=4, discourage_predicted=3, discourage_other=0.5
    ),
    stability=StabilityCalibration(rho=0.1, most_usual_sensitivity=0.3, least_usual_rank_correlation=0.9),
)
EXPLANATION = TargetExplanation(
    target="dog", target_id=1, role="runner_up", against=None, against_id=None, direction="encourage", method="fast",
    probability_before=0.2, probability_after=0.7, margin_before=None, margin_after=None, rho=0.1,
    perturbation_rms=0.1, perturbation_l2=1.0, steps=8, cut_short=False, converged=True, goal_met=True,
    changed_class_to="dog", methods={}, agreement=None, top_after=(), pictures={},
)  # fmt: skip


def judged(
    known: InDistribution | None = INSIDE, calibration: Calibration | None = CALIBRATION, **changes: Any
) -> Verdict:
    return verdict_of(reasons_for(replace(EXPLANATION, **changes), known, None, calibration))


def test_it_is_high_where_all_that_was_measured_speaks_for_it() -> None:
    assert judged().level == "high"
    assert [reason.about for reason in judged().reasons] == ["search", "image", "gain"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cut_short": True, "converged": False, "goal_met": False}, "cut short"),
        ({"converged": False, "goal_met": False}, "did not settle"),
        ({"goal_met": False}, "did not move what it was meant to move"),
    ],
)
def test_it_abstains_where_the_search_failed(changes: dict[str, Any], sentence: str) -> None:
    verdict = judged(**changes)
    assert verdict.level == "abstain"
    assert sentence in verdict.reasons[0].sentence


def test_it_abstains_on_an_image_that_is_not_the_models_business() -> None:
    verdict = judged(OUTSIDE)
    assert (verdict.level, verdict.reasons[0]) == ("abstain", Reason("image", "abstain", OUTSIDE.sentence))


@pytest.mark.parametrize(
    ("role", "direction", "after", "level"),
    [
        ("runner_up", "encourage", 0.59, "low"),  # 3.9 of 4
        ("runner_up", "encourage", 0.61, "high"),
        ("named", "encourage", 0.59, "low"),
        ("predicted", "encourage", 0.31, "high"),  # 1.1 of 1
        ("predicted", "discourage", -0.09, "low"),  # 2.9 of 3
        ("predicted", "discourage", -0.11, "high"),
        ("runner_up", "discourage", 0.16, "low"),  # 0.4 of 0.5
    ],
)
def test_a_gain_is_compared_with_what_is_usual_of_its_kind(
    role: str, direction: str, after: float, level: Level
) -> None:
    verdict = judged(role=role, direction=direction, probability_after=after)
    assert verdict.level == level
    assert [reason.level for reason in verdict.reasons if reason.about == "gain"] == [level]


@pytest.mark.parametrize("changes", [{"rho": 0.05}, {"against": "cat"}])
def test_a_gain_that_is_not_comparable_is_not_compared(changes: dict[str, Any]) -> None:
    verdict = judged(**changes, probability_after=0.21)
    assert (verdict.level, [reason.about for reason in verdict.reasons]) == ("high", ["search", "image"])


def test_of_a_model_that_was_not_calibrated_nothing_is_high() -> None:
    verdict = judged(None, None)
    assert verdict.level == "low"
    assert [reason.about for reason in verdict.reasons if reason.level == "low"] == ["image", "gain"]


def quality(sensitivity: float, correlation: float | None) -> ExplanationQuality:
    found = MapQuality(1.0, 0.1, 0.9, sensitivity, correlation, correlation, 1.0, 1.0)
    areas = BaselineAreas(0.5, 0.5)
    return ExplanationQuality({"adversarial": found}, areas, areas, MethodCost(1, 1))


@pytest.mark.parametrize(
    ("sensitivity", "correlation", "level"),
    [(0.29, 0.91, "high"), (0.31, 0.91, "low"), (0.29, 0.89, "low"), (0.29, None, "low")],
)
def test_a_map_that_changes_more_than_usual_under_noise_lowers_it(
    sensitivity: float, correlation: float | None, level: Level
) -> None:
    verdict = judged(quality=quality(sensitivity, correlation))
    assert verdict.level == level
    assert [reason.level for reason in verdict.reasons if reason.about == "stability"] == [level]


def test_stability_at_another_size_is_not_compared() -> None:
    verdict = judged(quality=quality(9.0, 0.0), rho=0.05)
    assert "stability" not in [reason.about for reason in verdict.reasons]


def test_what_is_usual_under_noise_is_not_known_of_a_model_that_was_not_calibrated() -> None:
    verdict = judged(quality=quality(0.0, 1.0), calibration=Calibration(gain=CALIBRATION.gain))
    (reason,) = [reason for reason in verdict.reasons if reason.about == "stability"]
    assert (reason.level, "not calibrated" in reason.sentence) == ("low", True)


@pytest.mark.parametrize(("reads", "level"), [("dog", "high"), ("cat", "low")])
def test_a_judge_that_reads_another_class_in_the_explained_picture_lowers_it(reads: str, level: Level) -> None:
    facts = ModelFacts("plain", "0" * 64, 8, 8, 3, "stretch")
    verdict = judged(judge=JudgeReading(facts, reads, 0, reads == "dog", 0.1, 0.6))
    assert verdict.level == level
    (reason,) = [reason for reason in verdict.reasons if reason.about == "judge"]
    assert reads in reason.sentence


def test_a_judge_is_not_asked_about_less_of_a_class() -> None:
    facts = ModelFacts("plain", "0" * 64, 8, 8, 3, "stretch")
    read = JudgeReading(facts, "cat", 0, False, 0.1, 0.0)
    verdict = judged(judge=read, direction="discourage", probability_after=0.1)
    assert "judge" not in [reason.about for reason in verdict.reasons]


def test_further_reasons_count_like_any_other() -> None:
    more = Reason("twin", "low", "Its twin reads the image as another class.")
    verdict = verdict_of([*reasons_for(EXPLANATION, INSIDE, None, CALIBRATION), more])
    assert (verdict.level, verdict.reasons[0]) == ("low", more)


def test_without_reasons_nothing_speaks_for_it() -> None:
    assert verdict_of([]) == Verdict("low", ())


def test_nothing_is_gained_where_nothing_was_changed() -> None:
    assert gain_per_rms(replace(EXPLANATION, perturbation_rms=0.0)) == 0


@pytest.mark.parametrize(("agrees", "level"), [(True, "high"), (False, "low")])
def test_a_twin_that_reads_the_image_as_another_class_lowers_it(agrees: bool, level: Level) -> None:
    twin = ModelFacts("plain", "0" * 64, 8, 8, 3, "stretch")
    second = SecondOpinion(twin, Prediction((ClassProbability("frog", 2, 0.9),)), agrees)
    verdict = verdict_of(reasons_for(EXPLANATION, INSIDE, second, CALIBRATION))
    assert verdict.level == level
    (reason,) = [reason for reason in verdict.reasons if reason.about == "twin"]
    assert ("frog" in reason.sentence) is not agrees
