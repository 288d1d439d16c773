"""g_explain+ and g_explain-: the change of a given size that makes an image most, or least, of a class.

Two ways to find it: the paper's, and a fast one, which comes as far in 8 steps as the paper's in 35.
"""

from dataclasses import dataclass, fields
from typing import Literal

import torch
from torch import Tensor

from app.adversarial.batched import Batched
from app.adversarial.drives import Drive, cross_entropy
from app.adversarial.loop import LoopResult, Network, Observer, non_finite_at_end, perturb
from app.adversarial.rows import Rows
from app.adversarial.sizes import l2, rms
from app.adversarial.stop_rules import while_below_size

Direction = Literal["encourage", "discourage"]

PAPER_STEPS = 35
PAPER_OVERSHOOT = 5.0
PAPER_RHO = 0.1

# Found on CIFAR-10 test images for resnet44-all and our own networks, encouraged and discouraged, at RMS .03 to .1.
FAST_STEPS = 8
FAST_FIRST_STEP = 4.0  # in sizes; the projection takes back what is too far. From there they fall linearly.
FAST_MOMENTUM = 0.3

SIZE_TOLERANCE = 0.05  # the loop's last steps are under 1% of rho, so a row that ends further off has not settled


@dataclass(frozen=True)
class Explanation(Batched):
    """Explanations of a batch, unclamped, each row with what is needed to judge it.

    Attributes:
        perturbation: (batch, channels, height, width), d; the adversarial explanation is image + d.
        perturbation_rms, perturbation_l2: (batch,), sizes reached.
        probability_before, probability_after: (batch,), softmax of the target at the image and at image + d.
        settled: bool (batch,), the RMS reached is within `SIZE_TOLERANCE` (relative) of the rho asked for.
        goal_met: bool (batch,), settled and the probability moved in the direction asked for.
        non_finite_step: int64 (batch,), step at which a row met NaN or infinity, T for the look at image + d, else -1;
            such a row has no goal met.
    """

    perturbation: Tensor
    perturbation_rms: Tensor
    perturbation_l2: Tensor
    probability_before: Tensor
    probability_after: Tensor
    settled: Tensor
    goal_met: Tensor
    non_finite_step: Tensor

    def cpu(self) -> "Explanation":
        """The same, with every tensor on the CPU."""
        return Explanation(**{field.name: getattr(self, field.name).cpu() for field in fields(self)})


def paper_rows(target: Tensor, *, direction: Direction, rho: float = PAPER_RHO, steps: int = PAPER_STEPS) -> Rows:
    """The paper's options for explaining each `target` class, int64 (batch,)."""
    return Rows.alike(
        target,
        encourage=direction == "encourage",
        size_rms=rho,
        steps=steps,
        overshoot=PAPER_OVERSHOOT,
        momentum=0.0,
    )


def fast_rows(target: Tensor, *, direction: Direction, rho: float = PAPER_RHO, steps: int = FAST_STEPS) -> Rows:
    """Options for explaining each `target` class, int64 (batch,), in few steps, at exactly RMS `rho`."""
    return Rows.alike(
        target,
        encourage=direction == "encourage",
        size_rms=rho,
        steps=steps,
        overshoot=FAST_FIRST_STEP * (steps + 1) / 2,
        momentum=FAST_MOMENTUM,
        projected=True,
    )


def fast_change(network: Network, images: Tensor, target: Tensor, *, direction: Direction, rho: float) -> Tensor:
    """The change alone, unclamped, that explains each image (batch, channels, height, width) by `fast_rows`."""
    return explain(network, images, fast_rows(target, direction=direction, rho=rho)).perturbation


def explain(
    network: Network,
    images: Tensor,
    rows: Rows,
    *,
    drive: Drive = cross_entropy,
    observe: Observer | None = None,
) -> Explanation:
    """Explain each image (batch, channels, height, width) in [0, 1] for its row's label, direction and size."""
    looped = perturb(network, images, rows, while_below_size, drive=drive, observe=observe)
    with torch.no_grad():
        at_end = network(images + looped.perturbation)
        at_start = network(images)
    return judge(rows, looped, at_start, at_end)


def judge(rows: Rows, looped: LoopResult, at_start: Tensor, at_end: Tensor) -> Explanation:
    """What the loop came to; logits (batch, classes) at the image and at image + d."""
    non_finite_step = non_finite_at_end(at_end, rows, looped)
    before, after = probability_of(at_start, rows.label), probability_of(at_end, rows.label)
    size = rms(looped.perturbation)
    settled = (size / rows.size_rms - 1).abs() <= SIZE_TOLERANCE
    moved = torch.where(rows.encourage, after > before, after < before)
    return Explanation(
        perturbation=looped.perturbation,
        perturbation_rms=size,
        perturbation_l2=l2(looped.perturbation),
        probability_before=before,
        probability_after=after,
        settled=settled,
        goal_met=settled & moved & (non_finite_step < 0),
        non_finite_step=non_finite_step,
    )


def probability_of(logits: Tensor, label: Tensor) -> Tensor:
    """Softmax probability of each row's label; (batch, classes) and (batch,) to (batch,)."""
    return logits.softmax(1).gather(1, label[:, None])[:, 0]
