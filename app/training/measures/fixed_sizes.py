"""Robust accuracy at given sizes: the share of images that no attack within the ball gets misread."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.adversarial.attacks.apgd import apgd
from app.adversarial.attacks.ball import stands
from app.adversarial.attacks.fab import fab
from app.adversarial.attacks.objectives import likeliest_others, targeted_dlr, untargeted_cross_entropy
from app.adversarial.attacks.square import square
from app.adversarial.sizes import l2_per_rms
from app.training.measures.estimates import Estimate, share_of

ATTACKS = ("apgd_ce", "apgd_t", "fab", "square")


@dataclass(frozen=True)
class Effort:
    """What the attacks may cost. AutoAttack's own: 100 steps, 9 targets, 5,000 queries.

    Attributes:
        steps: of APGD and FAB, for each target.
        targets: other classes that APGD-T and FAB aim at, likeliest first.
        queries: of Square.
    """

    steps: int = 40
    targets: int = 3
    queries: int = 300


@dataclass(frozen=True)
class RobustAccuracy:
    """How many images stand at one size.

    Attributes:
        rms, l2: the size.
        standing: share that is classified right after every attack.
        after: the share left after each attack in turn, each of which met only what the former had left.
    """

    rms: float
    l2: float
    standing: Estimate
    after: Mapping[str, float]


def attack_at_sizes(
    network: nn.Module,
    images: Tensor,
    label: Tensor,
    sizes_rms: tuple[float, ...],
    effort: Effort,
    random: torch.Generator,
) -> Tensor:
    """Which images stand after which attack; bool (batch, sizes, attacks), on the CPU.

    An image that falls at one size is not attacked at a larger one, whose ball holds the smaller: it falls there too.

    Args:
        network: in evaluation mode.
        images, label: (batch, channels, height, width) in [0, 1], int64 (batch,), on the network's device.
        sizes_rms: growing.
        effort: what the attacks may cost.
        random: of starts and squares, on the CPU.
    """
    standing = stands(network, images, images, label, 0.0)
    nearest, looked_for = images.clone(), torch.zeros_like(standing)
    after = torch.zeros(len(images), len(sizes_rms), len(ATTACKS), dtype=torch.bool)
    for place, rms in enumerate(sizes_rms):
        radius_l2 = rms * l2_per_rms(*images.shape[1:])
        for kind, name in enumerate(ATTACKS):
            if name == "fab":
                unseen = (standing & ~looked_for).nonzero()[:, 0]
                nearest[unseen] = fab(
                    network, images[unseen], label[unseen], targets=effort.targets, steps=effort.steps
                )
                looked_for[unseen] = True
            for attempt in range(effort.targets if name == "apgd_t" else 1):
                row = standing.nonzero()[:, 0]
                if not len(row):
                    break
                clean, its_label = images[row], label[row]
                if name == "fab":
                    found = nearest[row]
                else:
                    found = _attack(name, attempt, network, clean, its_label, radius_l2, effort, random)
                standing[row] = stands(network, found, clean, its_label, radius_l2)
            after[:, place, kind] = standing.cpu()
    return after


def _attack(
    name: str,
    attempt: int,
    network: nn.Module,
    images: Tensor,
    label: Tensor,
    radius_l2: float,
    effort: Effort,
    random: torch.Generator,
) -> Tensor:
    if name == "square":
        return square(network, images, label, radius_l2, random=random, queries=effort.queries)
    if name == "apgd_ce":
        objective = untargeted_cross_entropy(label)
    else:
        targets = likeliest_others(network, images, label, attempt + 1)
        if len(targets) <= attempt:
            return images  # there are no more classes
        objective = targeted_dlr(label, targets[attempt])
    return apgd(network, images, label, radius_l2, objective, random=random, steps=effort.steps)


def robust_accuracies(after: Tensor, sizes_rms: tuple[float, ...], per_rms: float) -> tuple[RobustAccuracy, ...]:
    """What `attack_at_sizes` found, bool (images, sizes, attacks), as shares; `per_rms` is the L2 of an RMS of 1."""
    return tuple(
        RobustAccuracy(
            rms=rms,
            l2=rms * per_rms,
            standing=share_of(after[:, place, -1]),
            after={name: float(after[:, place, kind].double().mean()) for kind, name in enumerate(ATTACKS)},
        )
        for place, rms in enumerate(sizes_rms)
    )
