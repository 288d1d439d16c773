"""How far an explanation is to be relied on, with the reasons in words.

Every reason comes from one thing that was measured, and says how far the explanation is to be relied on by that alone;
the weakest decides. Who measures more of an explanation adds reasons to the list.
"""

from collections.abc import Iterable, Iterator

from app.networks.calibration import Calibration, GainCalibration, StabilityCalibration
from app.service.options import ADVERSARIAL
from app.service.results.explanation import TargetExplanation
from app.service.results.facts import InDistribution, SecondOpinion
from app.service.results.quality import JudgeReading, Level, Reason, Verdict

LEVELS: tuple[Level, ...] = ("abstain", "low", "high")
"""From the weakest."""

_SAME_SIZE = 0.01  # share by which a size may differ from the calibrated one and be compared with it


def verdict_of(reasons: Iterable[Reason]) -> Verdict:
    """The weakest of what the reasons say, weakest first; low where there is none, since nothing speaks for it."""
    ordered = tuple(sorted(reasons, key=lambda reason: LEVELS.index(reason.level)))
    return Verdict(ordered[0].level if ordered else "low", ordered)


def reasons_for(
    one: TargetExplanation,
    known: InDistribution | None,
    second: SecondOpinion | None,
    calibration: Calibration | None,
) -> Iterator[Reason]:
    """What the explanation itself, its image, the model's twin and the model's calibration say."""
    yield _of_search(one)
    yield _of_image(known)
    if second is not None:
        yield _of_twin(second)
    if one.goal_met and one.against is None and not one.tiles:  # gains were calibrated on images seen at once
        yield from _of_gain(one, calibration.gain if calibration is not None else None)
    if one.quality is not None:
        yield from _of_stability(one, calibration.stability if calibration is not None else None)
    if one.judge is not None and one.goal_met and one.direction == "encourage":
        yield _of_judge(one.judge, one.target)


def _of_search(one: TargetExplanation) -> Reason:
    if one.cut_short:
        return Reason("search", "abstain", "The search was cut short.")
    if not one.converged:
        return Reason("search", "abstain", "The search did not settle at the size asked for.")
    if not one.goal_met:
        return Reason("search", "abstain", "The change did not move what it was meant to move.")
    return Reason("search", "high", "The search settled, and the change moved what it was meant to move.")


def _of_image(known: InDistribution | None) -> Reason:
    if known is None:
        sentence = "Whether the image is of the model's kind is not known: the model was not calibrated to tell."
        return Reason("image", "low", sentence)
    return Reason("image", "high" if known.verdict == "inside" else "abstain", known.sentence)


def _of_twin(second: SecondOpinion) -> Reason:
    if second.agrees:
        return Reason("twin", "high", f"{second.model.name}, its plain twin, reads the image as the same class.")
    return Reason(
        "twin", "low", f"{second.model.name}, its plain twin, reads the image as {second.prediction.best.name}."
    )


def _of_gain(one: TargetExplanation, calibrated: GainCalibration | None) -> Iterator[Reason]:
    """Nothing for another size than the calibrated one: what a change gains for its size depends on that."""
    if calibrated is None:
        sentence = "How much is usually gained for the size of a change is not known: the model was not calibrated."
        yield Reason("gain", "low", sentence)
        return
    if not _is_of_size(one, calibrated.rho):
        return
    gain, usual = gain_per_rms(one), calibrated.least_usual(one.direction, predicted=one.role == "predicted")
    moved = f"The probability moved by {gain:.3g} for each unit of RMS"
    if gain < usual:
        yield Reason(
            "gain", "low", f"{moved}, less than of 95 in a hundred of the model's images ({usual:.3g} or more)."
        )
    else:
        yield Reason("gain", "high", f"{moved}, which is usual ({usual:.3g} or more).")


def _of_stability(one: TargetExplanation, calibrated: StabilityCalibration | None) -> Iterator[Reason]:
    """Of what the search changes; nothing for another size than the calibrated one."""
    if calibrated is None:
        sentence = "How far a map usually changes under noise is not known: the model was not calibrated."
        yield Reason("stability", "low", sentence)
        return
    if one.quality is None or not _is_of_size(one, calibrated.rho):
        return
    found = one.quality.methods[ADVERSARIAL]
    sensitivity, correlation = found.max_sensitivity, found.repeat_rank_correlation_least
    usual = calibrated.most_usual_sensitivity, calibrated.least_usual_rank_correlation
    changed = f"Under noise that nobody sees the map changes by up to {sensitivity:.2g} of its size"
    if sensitivity <= usual[0] and correlation is not None and correlation >= usual[1]:
        yield Reason("stability", "high", f"{changed}, which is usual ({usual[0]:.2g} or less).")
        return
    kept = "its pixels' ranks cannot be compared" if correlation is None else f"ranks correlate by {correlation:.3g}"
    yield Reason(
        "stability",
        "low",
        f"{changed}, and {kept}; usual are {usual[0]:.2g} or less, and {usual[1]:.3g} or more.",
    )


def _is_of_size(one: TargetExplanation, rho: float) -> bool:
    """Whether it can be compared with what was calibrated at that RMS."""
    return abs(one.rho / rho - 1) <= _SAME_SIZE


def _of_judge(read: JudgeReading, target: str) -> Reason:
    judge = read.model.name
    if read.reads_target:
        return Reason("judge", "high", f"{judge}, another network, reads the explained picture as {target}, too.")
    return Reason("judge", "low", f"{judge}, another network, reads the explained picture as {read.reads}.")


def gain_per_rms(one: TargetExplanation) -> float:
    """How far the probability moved as asked for, over the RMS of the change; 0 where nothing was changed."""
    moved = one.probability_after - one.probability_before
    wanted = moved if one.direction == "encourage" else -moved
    return wanted / one.perturbation_rms if one.perturbation_rms > 0 else 0.0
