"""What a fixed-size attack climbs: given by row, because rows leave the batch once they are fooled."""

from collections.abc import Callable

import torch
from torch import Tensor

from app.adversarial.drives import cross_entropy
from app.adversarial.loop import Network

Objective = Callable[[Tensor, Tensor], Tensor]
"""(logits (n, classes), int64 (n,): which rows of the whole batch they are of) to (n,), larger as the attack gains."""

_TINY = 1e-12


def untargeted_cross_entropy(label: Tensor) -> Objective:
    """Cross entropy of each row's label."""
    return lambda logits, rows: cross_entropy(logits, label[rows])


def targeted_dlr(label: Tensor, target: Tensor) -> Objective:
    """The targeted difference of logits ratio, (z_target - z_label) / (z_1st - (z_3rd + z_4th) / 2).

    Croce & Hein 2020; its scale does not fade where the network is sure. With fewer than four classes there is no such
    ratio, and the difference itself is taken.
    """

    def objective(logits: Tensor, rows: Tensor) -> Tensor:
        def of(classes: Tensor) -> Tensor:
            return logits.gather(1, classes[rows][:, None])[:, 0]

        gain = of(target) - of(label)
        if logits.shape[1] < 4:
            return gain
        first, _, third, fourth = logits.topk(4).values.unbind(1)
        return gain / (first - (third + fourth) / 2 + _TINY)

    return objective


def likeliest_others(network: Network, images: Tensor, label: Tensor, count: int) -> Tensor:
    """The `count` classes with the largest logits but the label's, likeliest first; int64 (count or fewer, batch)."""
    with torch.no_grad():
        logits = network(images).scatter(1, label[:, None], -torch.inf)
    return logits.topk(min(count, logits.shape[1] - 1)).indices.T
