"""What the loop climbs: one number per row that grows as the label becomes less likely."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Drive = Callable[[Tensor, Tensor], Tensor]
"""(logits (batch, classes), label (batch,)) to (batch,)."""


def cross_entropy(logits: Tensor, label: Tensor) -> Tensor:
    """Cross entropy of the label: the paper's drive. Its gradient fades where the network is sure."""
    return functional.cross_entropy(logits, label, reduction="none")


def margin(logits: Tensor, label: Tensor) -> Tensor:
    """Largest other logit less the label's; positive where the label has lost.

    Finds smaller attacks than cross entropy on networks of low confidence, so a robustness figure needs both.
    """
    of_label = logits.gather(1, label[:, None])[:, 0]
    others = logits.scatter(1, label[:, None], -torch.inf)
    return others.amax(1) - of_label
