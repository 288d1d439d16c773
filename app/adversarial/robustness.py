"""How much change one image's answer withstands, as far as attacks can tell: an upper bound, and no proof."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.batched import Batched
from app.adversarial.loop import Network
from app.adversarial.nearest import CHANCE_EVALUATIONS, FLIP_EVALUATIONS, Nearest, nearest_chance, nearest_flip

EVALUATIONS = FLIP_EVALUATIONS + CHANCE_EVALUATIONS


@dataclass(frozen=True)
class Robustness(Batched):
    """Of a batch, the nearest images found that are read as another class, and as this one by chance at the most.

    Either is the nearest of what the cross entropy and the margin, and every restart, came to.
    """

    flip: Nearest
    chance: Nearest


def robustness(
    network: Network, images: Tensor, label: Tensor, *, restarts: int = 0, random: torch.Generator | None = None
) -> Robustness:
    """How much change takes `label`, int64 (batch,), away; the arguments are those of `nearest_flip`."""
    flip = nearest_flip(network, images, label, restarts=restarts, random=random)
    if flip.logits.shape[1] == 2:  # where half is lost, the class is
        return Robustness(flip, flip)
    chance = nearest_chance(network, images, label, restarts=restarts, random=random)
    also_flips = chance.goal_met & (chance.logits.argmax(1) != label)
    nearer = (also_flips & (chance.perturbation_l2 < flip.perturbation_l2)).nonzero()[:, 0]
    flip[nearer] = chance[nearer]
    return Robustness(flip, chance)
