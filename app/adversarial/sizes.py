"""How large a perturbation is, in both norms the project reports."""

import math

from torch import Tensor


def rms(perturbation: Tensor) -> Tensor:
    """Root mean square over all pixels and channels of each row; (batch, ...) to (batch,), in pixel units of [0, 1]."""
    return perturbation.flatten(1).square().mean(1).sqrt()


def l2(perturbation: Tensor) -> Tensor:
    """Euclidean norm of each row; (batch, ...) to (batch,). Equals RMS times sqrt(channels * height * width)."""
    return perturbation.flatten(1).square().sum(1).sqrt()


def l2_per_rms(channels: int, height: int, width: int) -> float:
    """The factor from RMS to L2 for images of this shape: 55.4 for CIFAR-10."""
    return math.sqrt(channels * height * width)


def per_row(values: Tensor, like: Tensor) -> Tensor:
    """View (batch,) values so that they broadcast over the rows of `like`, (batch, ...)."""
    return values.view(-1, *[1] * (like.dim() - 1))
