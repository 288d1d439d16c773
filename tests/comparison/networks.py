"""Networks whose explanations are known, and one that counts what it is asked."""

import copy

import torch
from torch import Tensor, nn


class Squares(nn.Module):
    """Logits (0, half the sum of squares): the second's gradient is the image itself."""

    def forward(self, images: Tensor) -> Tensor:
        half = images.square().flatten(1).sum(1) / 2
        return torch.stack([torch.zeros_like(half), half], 1)


class Planes(nn.Module):
    """Logits <weight, image> of each class; weight (classes, channels, height, width)."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def forward(self, images: Tensor) -> Tensor:
        return images.flatten(1) @ self.weight.flatten(1).T


class Counted(nn.Module):
    """Another network, and how many rows it saw with a gradient to come, and without."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.rows = {True: 0, False: 0}

    def forward(self, images: Tensor) -> Tensor:
        self.rows[torch.is_grad_enabled()] += len(images)
        logits: Tensor = self.network(images)
        return logits

    def __deepcopy__(self, memo: dict[int, object]) -> "Counted":
        """Shells count with it, and have hooks of their own."""
        copied = Counted(copy.deepcopy(self.network, memo))
        copied.rows = self.rows
        return copied


def planes(seed: int = 0, *, classes: int = 3, channels: int = 2, height: int = 6, width: int = 5) -> Planes:
    """Random ones."""
    random = torch.Generator().manual_seed(seed)
    return Planes(torch.randn(classes, channels, height, width, generator=random, dtype=torch.float64))
