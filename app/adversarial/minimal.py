"""The smallest change found that meets a goal: the image's class flips, or its probability falls to chance."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.drives import Drive, cross_entropy
from app.adversarial.explain import probability_of
from app.adversarial.loop import Network, look_at_end, perturb
from app.adversarial.rows import Rows
from app.adversarial.sizes import l2, per_row, rms
from app.adversarial.stop_rules import StopRule, while_class_stands

PAPER_STEPS = 450
PAPER_EPS = 20.0
PAPER_MOMENTUM = 0.9


@dataclass(frozen=True)
class MinimalAttack:
    """Smallest successful changes of a batch.

    Attributes:
        perturbation: (batch, channels, height, width), the smallest d that met the goal; zero where none did.
        perturbation_rms, perturbation_l2: (batch,), its sizes; 0 where the goal was met from the start (a
            misclassified image), infinite where it was never met: robust to the largest size tried.
        largest_rms_tried: (batch,), the largest RMS at which the network answered with finite numbers.
        probability_before, probability_after: (batch,), softmax of the label at the image and at image + d.
        goal_met: bool (batch,), the sizes are finite.
        non_finite_step: int64 (batch,), step at which a row met NaN or infinity, which ended its search, else -1. T is
            the look after the last step. What a row had found by then is kept: forgetting it would flatter the network.
    """

    perturbation: Tensor
    perturbation_rms: Tensor
    perturbation_l2: Tensor
    largest_rms_tried: Tensor
    probability_before: Tensor
    probability_after: Tensor
    goal_met: Tensor
    non_finite_step: Tensor


def minimal_attack(
    network: Network,
    images: Tensor,
    label: Tensor,
    *,
    follow_rule: StopRule = while_class_stands,
    drive: Drive = cross_entropy,
    steps: int = PAPER_STEPS,
    eps: float | None = None,
    momentum: float = PAPER_MOMENTUM,
    start: Tensor | None = None,
) -> MinimalAttack:
    """Find, for each image by itself, the smallest change that ends `follow_rule`.

    Args:
        network: from images to logits, in evaluation mode.
        images: (batch, channels, height, width) in [0, 1].
        label: int64 (batch,), the class to be lost.
        follow_rule: `while_class_stands` ("attack") or `while_better_than_random` ("BTR").
        drive: cross entropy as in the paper, or the margin.
        steps: T.
        eps: scale of the steps in RMS; the paper's 20 at 450 steps, and in proportion to `steps` where not given, so
            that the last steps, which decide how finely the size is found, stay as small.
        momentum: as in the paper.
        start: where the search sets out, as a change shaped like the images; the paper sets out from the image itself.
    """
    eps = PAPER_EPS * steps / PAPER_STEPS if eps is None else eps
    rows = Rows.alike(label, encourage=False, size_rms=eps, steps=steps, overshoot=1.0, momentum=momentum)
    with torch.no_grad():
        at_start = network(images)
    best = torch.zeros_like(images)
    finite = at_start.isfinite().all(1)
    lost = finite & ~follow_rule(at_start, best, rows)  # needs no attack
    standing = (finite & ~lost).nonzero()[:, 0]
    best_rms = torch.where(lost, 0, torch.inf).to(images.dtype)
    largest_rms = torch.zeros_like(best_rms)

    def keep_smallest(index: Tensor, perturbation: Tensor, follow: Tensor) -> None:
        size = rms(perturbation)
        largest_rms[index] = torch.maximum(largest_rms[index], size)
        better = ~follow & (size < best_rms[index])
        best[index[better]] = perturbation[better]
        best_rms[index[better]] = size[better]

    looped = perturb(
        network,
        images[standing],
        rows[standing],
        follow_rule,
        drive=drive,
        start=None if start is None else start[standing],
        observe=lambda _, index, at, follow: keep_smallest(standing[index], at, follow),
    )
    at_end, ended = look_at_end(network, images[standing], rows[standing], looped)
    follow = follow_rule(at_end, looped.perturbation, rows[standing])
    whole = ended < 0
    keep_smallest(standing[whole], looped.perturbation[whole], follow[whole])
    with torch.no_grad():
        after = network(images + best)
    non_finite_step = torch.where(finite, -1, 0)
    non_finite_step[standing] = ended
    goal_met = best_rms.isfinite()
    return MinimalAttack(
        perturbation=best,
        perturbation_rms=best_rms,
        perturbation_l2=torch.where(goal_met, l2(best), torch.inf),
        largest_rms_tried=largest_rms,
        probability_before=probability_of(at_start, label),
        probability_after=probability_of(after, label),
        goal_met=goal_met,
        non_finite_step=non_finite_step,
    )


def smaller(first: MinimalAttack, second: MinimalAttack) -> MinimalAttack:
    """Row by row the smaller of two attacks on the same images: the worst case over both."""
    take = second.perturbation_rms < first.perturbation_rms

    def pick(name: str) -> Tensor:
        a, b = getattr(first, name), getattr(second, name)
        return torch.where(per_row(take, a), b, a)

    return MinimalAttack(
        perturbation=pick("perturbation"),
        perturbation_rms=pick("perturbation_rms"),
        perturbation_l2=pick("perturbation_l2"),
        largest_rms_tried=torch.maximum(first.largest_rms_tried, second.largest_rms_tried),
        probability_before=first.probability_before,
        probability_after=pick("probability_after"),
        goal_met=first.goal_met | second.goal_met,
        non_finite_step=pick("non_finite_step"),
    )
