"""Audits of a model: each method's explanations attacked, and what came of it, over one image or many."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.explain import fast_change
from app.comparison.attribution import ExplainedBy
from app.comparison.audit import AttackOptions, Audit, Climb, Goal, SmoothClimb, audit
from app.comparison.methods import METHODS
from app.comparison.smooth_maps import smooth_grad_cam, smooth_gradient
from app.errors import OptionError
from app.networks.checkpoint import Checkpoint
from app.service.options import ADVERSARIAL, GOALS, METHOD_NAMES

IMAGES_AT_ONCE = 50
WEAK_CORRELATION = 0.3  # below it two maps have next to nothing in common

Told = Callable[[str, Goal, int], None]
"""Told of each batch that is done: method, goal, and how many images it was."""


@dataclass(frozen=True)
class MethodAudit:
    """One method's explanations by one model, attacked for one goal; `audit` has a row for each image."""

    model: str
    method: str
    goal: Goal
    audit: Audit


@dataclass(frozen=True)
class AuditSummary:
    """Over all images; medians are of those where a picture was found, None where there was none.

    Attributes:
        images, found: how many.
        spearman_median, ssim_median: between the maps before and after.
        weak_share: of all images, those found with a rank correlation below `WEAK_CORRELATION`.
        center_distance_median: pixels between the maps' centres of mass.
        perturbation_rms_median: of the change.
    """

    images: int
    found: int
    spearman_median: float | None
    ssim_median: float | None
    weak_share: float
    center_distance_median: float | None
    perturbation_rms_median: float | None


def check_methods(asked: Sequence[str]) -> None:
    """Raise `OptionError` where a method is not one that can be audited."""
    for name in asked:
        if name not in METHOD_NAMES:
            raise OptionError(f"method {name[:80]!r} is not offered; it must be one of {', '.join(METHOD_NAMES)}.")


def audit_model(
    checkpoint: Checkpoint, images: Tensor, methods: Sequence[str], options: AttackOptions, tell: Told
) -> Iterator[MethodAudit]:
    """Attack each method's explanation of each image, for either goal.

    A method that the network cannot be explained by (Grad-CAM without a feature map) is left out.

    Args:
        checkpoint: the model.
        images: (batch, channels, height, width) in [0, 1], multiples of 1/255, on the CPU.
        methods: some of `METHOD_NAMES`.
        options: of the attacks.
        tell: told of the progress.
    """
    for method in methods:
        climb = climb_of(checkpoint, method)
        if climb is None:
            continue
        for goal in GOALS:
            parts: list[Audit] = []
            for some in torch.split(images, IMAGES_AT_ONCE):
                shown = some.to(checkpoint.device)
                parts.append(audit(checkpoint.network, _method(checkpoint, method), climb, shown, goal, options))
                tell(method, goal, len(some))
            yield MethodAudit(checkpoint.name, method, goal, Audit.joined(parts))


def summary_of(found: Audit) -> AuditSummary:
    """An audit in a few figures."""
    spearman = found.spearman[found.found]
    return AuditSummary(
        images=len(found),
        found=int(found.found.sum()),
        spearman_median=_median(spearman),
        ssim_median=_median(found.ssim[found.found]),
        weak_share=float((spearman < WEAK_CORRELATION).sum()) / max(1, len(found)),
        center_distance_median=_median(found.center_distance[found.found]),
        perturbation_rms_median=_median(found.perturbation_rms[found.found]),
    )


def _method(checkpoint: Checkpoint, name: str) -> ExplainedBy:
    network, rho = checkpoint.network, checkpoint.description.explanation.rho
    if name == ADVERSARIAL:
        return lambda images, target: fast_change(network, images, target, direction="encourage", rho=rho)
    method = METHODS[name]
    return lambda images, target: method(network, images, target).map


def climb_of(checkpoint: Checkpoint, method: str) -> Climb | None:
    """What is climbed in place of a method; None where the network cannot be explained by it."""
    network = checkpoint.network
    if method == "gradcam":
        image = torch.full((1, *checkpoint.shape), 0.5, device=checkpoint.device)
        smooth_map = smooth_grad_cam(network, image)
    else:
        smooth_map = smooth_gradient(network)
    return None if smooth_map is None else SmoothClimb(network, smooth_map)


def _median(values: Tensor) -> float | None:
    return float(values.median()) if len(values) else None


def as_picture(image: Tensor) -> Tensor:
    """Any pixels of [0, 1] as multiples of 1/255, which is what a file holds."""
    return torch.round(image * 255) / 255
