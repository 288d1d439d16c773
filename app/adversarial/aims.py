"""What each row climbs, as plain tensors: rows of different drives share one gradient step, and it can be compiled."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from app.adversarial.batched import Batched
from app.adversarial.drives import Drive, cross_entropy, margin


@dataclass(frozen=True)
class Aims(Batched):
    """Each row's drive; every field lives on the images' device.

    Attributes:
        label: int64 (batch,), the class that is encouraged or discouraged.
        margin: bool (batch,), false to climb the cross entropy of the label, true its margin.
        rivals: bool (batch, classes), what the margin compares the label with: all other classes for `drives.margin`,
            one class for a contrast. Where the margin is climbed there must be one; elsewhere it is not read.
    """

    label: Tensor
    margin: Tensor
    rivals: Tensor

    @classmethod
    def alike(cls, label: Tensor, *, margin: bool, classes: int) -> "Aims":
        """Rows that differ in their label only; a margin is over all other classes."""
        rivals = torch.ones(len(label), classes, dtype=torch.bool, device=label.device)
        return cls(
            label=label,
            margin=torch.full_like(label, margin, dtype=torch.bool),
            rivals=rivals.scatter(1, label[:, None], value=False),
        )

    @classmethod
    def of_drive(cls, chosen: Drive, label: Tensor, *, classes: int) -> "Aims":
        """The same as `chosen`, which must be `drives.cross_entropy` or `drives.margin`, says of these labels.

        Raises:
            ValueError: it is another function, which no tensor could describe.
        """
        if chosen not in (cross_entropy, margin):
            raise ValueError(f"{chosen} is neither cross_entropy nor margin: hand the network itself to the loop")
        return cls.alike(label, margin=chosen is margin, classes=classes)


def drive(logits: Tensor, aims: Aims) -> Tensor:
    """What each row climbs; logits (batch, classes) to (batch,). The same numbers as `drives` where those apply."""
    of_label = logits.gather(1, aims.label[:, None])[:, 0]
    best_rival = logits.masked_fill(~aims.rivals, -torch.inf).amax(1)
    entropy = functional.cross_entropy(logits, aims.label, reduction="none")
    return torch.where(aims.margin, best_rival - of_label, entropy)
