"""Accuracy-robustness areas of smallest changes, with intervals, and the ratio of two networks' areas."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.adversarial.area import accuracy_robustness_areas
from app.adversarial.attacks.ball import unit
from app.adversarial.drives import cross_entropy, margin
from app.adversarial.loop import Network
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

    A size is 0 where nothing was needed, and infinite where nothing was found. What was not looked for is None.
    """

    attack_rms: Tensor
    attack_tried_rms: Tensor
    btr_rms: Tensor | None = None
    btr_tried_rms: Tensor | None = None
    worst_case_rms: Tensor | None = None
    worst_case_tried_rms: Tensor | None = None


@dataclass(frozen=True)
class Areas:
    """Accuracy-robustness areas; sizes are RMS in pixels of [0, 1], and L2 where it is said.

    Attributes:
        attack_ara, btr_ara: the paper's, driven by cross entropy.
        worst_case_ara, worst_case_ara_l2: per image the smallest change of the cross entropy and the margin drive.
        never_flipped: images that withstood the largest size tried, which they count as.
        images, steps, restarts, seed: what was attacked, and how; intervals are of a bootstrap with that seed.

    What was not measured is None; `never_flipped` is then the attack's.
    """

    attack_ara: Estimate
    btr_ara: Estimate | None
    worst_case_ara: Estimate | None
    worst_case_ara_l2: Estimate | None
    never_flipped: int
    images: int
    steps: int
    restarts: int
    seed: int


def smallest_changes(
    network: Network,
    images: Tensor,
    label: Tensor,
    *,
    steps: int,
    restarts: int = 0,
    random: torch.Generator | None = None,
    btr: bool = True,
    worst_case: bool = True,
) -> SmallestChanges:
    """Attack images (batch, channels, height, width) for their labels, int64 (batch,).

    Args:
        network: in evaluation mode.
        images, label: on the network's device.
        steps: of each attack.
        restarts: further attacks by each drive for the worst case, from random changes of `RESTART_RMS`.
        random: of the restarts, on the CPU.
        btr, worst_case: look for these, too.
    """
    attack = minimal_attack(network, images, label, steps=steps)
    found = SmallestChanges(*_sizes(attack))
    if btr:
        to_chance = minimal_attack(network, images, label, steps=steps, follow_rule=while_better_than_random)
        found = replace(found, **dict(zip(("btr_rms", "btr_tried_rms"), _sizes(to_chance), strict=True)))
    if worst_case:
        worst = smaller(attack, minimal_attack(network, images, label, steps=steps, drive=margin))
        for _ in range(restarts):
            noise = torch.randn(images.shape, generator=random, dtype=images.dtype).to(images.device)
            start = unit(noise) * RESTART_RMS * l2_per_rms(*images.shape[1:])
            for drive in (cross_entropy, margin):
                worst = smaller(worst, minimal_attack(network, images, label, steps=steps, drive=drive, start=start))
        found = replace(found, **dict(zip(("worst_case_rms", "worst_case_tried_rms"), _sizes(worst), strict=True)))
    return found


def _sizes(found: MinimalAttack) -> tuple[Tensor, Tensor]:
    return found.perturbation_rms.cpu(), found.largest_rms_tried.cpu()


def areas(found: SmallestChanges, classes: int, per_rms: float, *, steps: int, restarts: int, seed: int) -> Areas:
    """The areas under smallest changes; `per_rms` is the L2 of an RMS of 1."""
    attack = _area(found.attack_rms, found.attack_tried_rms, classes, seed)
    btr = worst = in_l2 = None
    flipped_by = found.attack_rms
    if found.btr_rms is not None and found.btr_tried_rms is not None:
        btr = _area(found.btr_rms, found.btr_tried_rms, classes, seed)
    if found.worst_case_rms is not None and found.worst_case_tried_rms is not None:
        worst = _area(found.worst_case_rms, found.worst_case_tried_rms, classes, seed)
        in_l2 = Estimate(worst.value * per_rms, worst.low * per_rms, worst.high * per_rms)
        flipped_by = found.worst_case_rms
    return Areas(
        attack_ara=attack,
        btr_ara=btr,
        worst_case_ara=worst,
        worst_case_ara_l2=in_l2,
        never_flipped=int(flipped_by.isinf().sum()),
        images=len(found.attack_rms),
        steps=steps,
        restarts=restarts,
        seed=seed,
    )


def ratio_of_areas(ours: SmallestChanges, theirs: SmallestChanges, classes: int, seed: int) -> Estimate:
    """Our worst-case area over theirs on the same images; the bootstrap draws images, so both by the same draw.

    Where the worst case was not looked for, the areas are the attack's.
    """

    def ratio(index: Tensor) -> Tensor:
        of_ours, of_theirs = (
            accuracy_robustness_areas(sizes[index], classes, tried[index])
            for sizes, tried in (worst_found(ours), worst_found(theirs))
        )
        return of_ours / of_theirs.where(of_theirs > 0, torch.nan)

    return bootstrap(ratio, len(ours.attack_rms), seed)


def worst_found(found: SmallestChanges) -> tuple[Tensor, Tensor]:
    """The smallest changes of all that were looked for, and the largest sizes tried."""
    if found.worst_case_rms is None or found.worst_case_tried_rms is None:
        return found.attack_rms, found.attack_tried_rms
    return found.worst_case_rms, found.worst_case_tried_rms


def _area(sizes: Tensor, tried: Tensor, classes: int, seed: int) -> Estimate:
    return bootstrap(lambda index: accuracy_robustness_areas(sizes[index], classes, tried[index]), len(sizes), seed)
