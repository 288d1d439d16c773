"""Accuracy-robustness areas of smallest changes, with intervals, and the ratio of two networks' areas."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.adversarial.area import accuracy_robustness_areas
from app.adversarial.attacks.ball import unit
from app.adversarial.drives import cross_entropy, margin
from app.adversarial.minimal import MinimalAttack, minimal_attack, smaller
from app.adversarial.sizes import l2_per_rms
from app.adversarial.stop_rules import while_better_than_random
from app.training.measures.estimates import Estimate, bootstrap

RESTART_RMS = 0.01  # of the random changes that restarts set out from, as large as a typical smallest change


@dataclass(frozen=True)
class SmallestChanges:
    """RMS of the smallest changes found; every tensor is (images,).

    Attributes:
        attack_rms: that flip the class, driven by cross entropy, as in the paper.
        btr_rms: that bring the label's probability to chance, driven by cross entropy.
        worst_case_rms: that flip the class by any drive and restart.
        attack_tried_rms, btr_tried_rms, worst_case_tried_rms: the largest sizes tried on the way.

    A size is 0 where nothing was needed, and infinite where nothing was found.
    """

    attack_rms: Tensor
    attack_tried_rms: Tensor
    btr_rms: Tensor
    btr_tried_rms: Tensor
    worst_case_rms: Tensor
    worst_case_tried_rms: Tensor


@dataclass(frozen=True)
class Areas:
    """Accuracy-robustness areas; sizes are RMS in pixels of [0, 1], and L2 where it is said.

    Attributes:
        attack_ara, btr_ara: the paper's, driven by cross entropy.
        worst_case_ara, worst_case_ara_l2: per image the smallest change of the cross entropy and the margin drive.
        never_flipped: images that withstood the largest size tried, which they count as.
        images, steps, restarts, seed: what was attacked, and how; intervals are of a bootstrap with that seed.
    """

    attack_ara: Estimate
    btr_ara: Estimate
    worst_case_ara: Estimate
    worst_case_ara_l2: Estimate
    never_flipped: int
    images: int
    steps: int
    restarts: int
    seed: int


def smallest_changes(
    network: nn.Module, images: Tensor, label: Tensor, *, steps: int, restarts: int, random: torch.Generator
) -> SmallestChanges:
    """Attack images (batch, channels, height, width) for their labels, int64 (batch,).

    Args:
        network: in evaluation mode.
        images, label: on the network's device.
        steps: of each attack.
        restarts: further attacks by each drive, from random changes of `RESTART_RMS`.
        random: of the restarts, on the CPU.
    """
    attack = minimal_attack(network, images, label, steps=steps)
    btr = minimal_attack(network, images, label, steps=steps, follow_rule=while_better_than_random)
    worst = smaller(attack, minimal_attack(network, images, label, steps=steps, drive=margin))
    for _ in range(restarts):
        noise = torch.randn(images.shape, generator=random, dtype=images.dtype).to(images.device)
        start = unit(noise) * RESTART_RMS * l2_per_rms(*images.shape[1:])
        for drive in (cross_entropy, margin):
            worst = smaller(worst, minimal_attack(network, images, label, steps=steps, drive=drive, start=start))

    def sizes(found: MinimalAttack) -> tuple[Tensor, Tensor]:
        return found.perturbation_rms.cpu(), found.largest_rms_tried.cpu()

    return SmallestChanges(*sizes(attack), *sizes(btr), *sizes(worst))


def areas(found: SmallestChanges, classes: int, per_rms: float, *, steps: int, restarts: int, seed: int) -> Areas:
    """The areas under smallest changes; `per_rms` is the L2 of an RMS of 1."""
    attack = _area(found.attack_rms, found.attack_tried_rms, classes, seed)
    btr = _area(found.btr_rms, found.btr_tried_rms, classes, seed)
    worst = _area(found.worst_case_rms, found.worst_case_tried_rms, classes, seed)
    return Areas(
        attack_ara=attack,
        btr_ara=btr,
        worst_case_ara=worst,
        worst_case_ara_l2=Estimate(worst.value * per_rms, worst.low * per_rms, worst.high * per_rms),
        never_flipped=int(found.worst_case_rms.isinf().sum()),
        images=len(found.worst_case_rms),
        steps=steps,
        restarts=restarts,
        seed=seed,
    )


def ratio_of_areas(ours: SmallestChanges, theirs: SmallestChanges, classes: int, seed: int) -> Estimate:
    """Our worst-case area over theirs on the same images; the bootstrap draws images, so both by the same draw."""

    def ratio(index: Tensor) -> Tensor:
        of_ours, of_theirs = (
            accuracy_robustness_areas(found.worst_case_rms[index], classes, found.worst_case_tried_rms[index])
            for found in (ours, theirs)
        )
        return of_ours / of_theirs.where(of_theirs > 0, torch.nan)

    return bootstrap(ratio, len(ours.worst_case_rms), seed)


def _area(sizes: Tensor, tried: Tensor, classes: int, seed: int) -> Estimate:
    return bootstrap(lambda index: accuracy_robustness_areas(sizes[index], classes, tried[index]), len(sizes), seed)
