"""How good each map of each target is, every method measured alike on the network's input, pass by pass."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isnan

import torch
from torch import Tensor, nn

from app.comparison.attribution import Cost, ExplainedBy
from app.comparison.deletion import Areas, deletion_insertion
from app.comparison.gain import gain_of
from app.comparison.methods import importance_by
from app.comparison.stability import Stability, stability
from app.engine.device import Place
from app.engine.token import WorkToken
from app.errors import DeadlineExceeded
from app.service.explaining.asked_methods import AskedMethod, asked_explanation, asked_method, contrasted
from app.service.explaining.beside import Beside
from app.service.options import ADVERSARIAL, QUALITY_NOISE, ExplainOptions
from app.service.passes import Chosen, Found, logits_of, rows_of
from app.service.results.explanation import TargetExplanation
from app.service.results.quality import BaselineAreas, ExplanationQuality, JudgeReading, MapQuality, MethodCost


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        network: of the model, on the place's device.
        image: (channels, height, width), what it is shown of the upload.
        chosen, options: of the request.
        found: the explanations of the targets at `rho`, their RMS.
        beside: other methods' maps of the same.
    """

    network: nn.Module
    image: Tensor
    chosen: Chosen
    options: ExplainOptions
    rho: float
    found: Found
    beside: Beside


def measure_quality(place: Place, subject: Subject, token: WorkToken) -> list[ExplanationQuality | None]:
    """Of each target, one after the other; None where it is not asked for, or of what was not done by the deadline.

    Raises:
        NotFinite: a logit or gradient is NaN or infinite.
        Cancelled: the token, asked before every pass, said so.
        DeadlineExceeded: the same, unless the options ask for what was found by then.
    """
    if not subject.options.quality:
        return [None] * len(subject.chosen.targets)
    measured: list[ExplanationQuality | None] = []
    for row in range(len(subject.chosen.targets)):
        try:
            measured.append(_of_target(place, subject, row, token))
        except DeadlineExceeded:
            if not subject.options.partial:
                raise
            return measured + [None] * (len(subject.chosen.targets) - row)
    return measured


def with_quality(
    judged: Sequence[TargetExplanation],
    quality: Sequence[ExplanationQuality | None],
    readings: Sequence[JudgeReading | None],
) -> list[TargetExplanation]:
    """Each target with its quality and reading; those at further sizes, which follow, without."""
    targets = [
        replace(one, quality=good, judge=read)
        for one, good, read in zip(judged[: len(quality)], quality, readings, strict=True)
    ]
    return [*targets, *judged[len(quality) :]]


def _of_target(place: Place, subject: Subject, row: int, token: WorkToken) -> ExplanationQuality:
    image, target = subject.image[None], torch.tensor([subject.chosen.targets[row]])
    maps = {name: made[row : row + 1] for name, made in _maps_of(subject).items()}
    sign = 1 if subject.options.direction == "encourage" else -1  # maps are turned as asked for, areas are of the class

    def logits(images: Tensor) -> Tensor:
        return logits_of(place, images, token)

    importance = [importance_by(name, sign * made) for name, made in maps.items()]
    areas = deletion_insertion(logits, image, target, torch.stack(importance), rows_at_once=place.rows_at_once)
    methods = {}
    for number, (name, explained_by) in enumerate(_methods_of(place, subject, token)):
        gain = gain_of(logits, image, target, maps[name], size_rms=subject.rho)
        stable = stability(explained_by, image, target, QUALITY_NOISE)
        moved = sign * float(gain.gain_per_rms)
        methods[name] = _map_quality(moved, areas.deletion, areas.insertion, number, stable)
    return ExplanationQuality(
        methods=methods,
        random=BaselineAreas(float(areas.deletion.random), float(areas.insertion.random)),
        edges=BaselineAreas(float(areas.deletion.edges), float(areas.insertion.edges)),
        cost=_cost(subject, row, areas.forward_passes),
    )


def _maps_of(subject: Subject) -> Mapping[str, Tensor]:
    """(targets, channels, height, width) by method, turned to what was asked for; those that were done in time."""
    return {ADVERSARIAL: subject.found.explanation.perturbation, **subject.beside.maps}


def _methods_of(place: Place, subject: Subject, token: WorkToken) -> Iterator[tuple[str, ExplainedBy]]:
    """In the order of the maps."""
    options, chosen = subject.options, subject.chosen
    yield (
        ADVERSARIAL,
        asked_explanation(place, lambda label: (rows_of(label, options, subject.rho), chosen.aims(label)), token),
    )
    for name in subject.beside.maps:
        yield name, _map_by(contrasted(asked_method(place, subject.network, name, token), chosen.against))


def _map_by(method: AskedMethod) -> ExplainedBy:
    return lambda images, target: method(images, target).map


def _map_quality(moved: float, deletion: Areas, insertion: Areas, number: int, stable: Stability) -> MapQuality:
    repeats = stable.repeatability
    return MapQuality(
        probability_gain_per_rms=moved,
        deletion_area=float(deletion.explanations[number]),
        insertion_area=float(insertion.explanations[number]),
        max_sensitivity=float(stable.max_sensitivity),
        repeat_rank_correlation_mean=_known(repeats.spearman_mean),
        repeat_rank_correlation_least=_known(repeats.spearman_least),
        repeat_ssim_mean=float(repeats.ssim_mean),
        repeat_ssim_least=float(repeats.ssim_least),
    )


def _cost(subject: Subject, row: int, forward_passes: int) -> MethodCost:
    """About: every map again for each noisy image; and of each method's gain a pass before and after."""
    of_a_map = [Cost(subject.found.steps_made[row], 2), *subject.beside.costs.values()]
    return MethodCost(
        gradient_evaluations=QUALITY_NOISE.maps * sum(cost.gradient_evaluations for cost in of_a_map),
        forward_passes=QUALITY_NOISE.maps * sum(cost.forward_passes for cost in of_a_map)
        + forward_passes
        + 2 * len(of_a_map),
    )


def _known(value: Tensor) -> float | None:
    """NaN as None."""
    number = float(value)
    return None if isnan(number) else number
