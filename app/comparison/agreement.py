"""How far two maps of the same images agree: in the order of their pixels, in structure, and in where they point.

Maps are (batch, channels, height, width), of any number of channels each; compared is the mean over channels, as in a
signed heatmap. Whoever would compare strength alone hands in absolute values. All is computed in float64.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from app.adversarial.sizes import l2

SSIM_SIDE, SSIM_SIGMA = 11, 1.5  # Wang et al. 2004, as K1 and K2
SSIM_K1, SSIM_K2 = 0.01, 0.03


@dataclass(frozen=True)
class Agreement:
    """Of each pair of maps, float64 (batch,).

    Attributes:
        spearman: rank correlation of the pixels, -1 to 1; NaN where a map is the same everywhere.
        ssim: structural similarity, -1 to 1, of the maps in grey: 0 as 0.5, its own largest absolute value as 0 or 1.
        center_distance: pixels between the centres of mass.
    """

    spearman: Tensor
    ssim: Tensor
    center_distance: Tensor


def agreement(one: Tensor, other: Tensor) -> Agreement:
    """How far each map of `one` agrees with the map of `other` in the same row."""
    first, second = over_channels(one), over_channels(other)
    return Agreement(
        spearman=spearman(first, second),
        ssim=structural_similarity(_as_grey(first), _as_grey(second), data_range=1.0),
        center_distance=l2(center_of_mass(first) - center_of_mass(second)),
    )


def over_channels(maps: Tensor) -> Tensor:
    """Mean over channels; (batch, channels, height, width) to float64 (batch, height, width)."""
    return maps.double().mean(1)


def spearman(one: Tensor, other: Tensor) -> Tensor:
    """Pearson correlation of the ranks, equal values sharing their mean rank; (batch, ...) twice to (batch,)."""
    first, second = (_standardized(_ranks(maps.flatten(1))) for maps in (one, other))
    return (first * second).mean(1)


def structural_similarity(one: Tensor, other: Tensor, data_range: float) -> Tensor:
    """Mean SSIM over all places of a Gaussian window that lies inside; (batch, height, width) twice to (batch,).

    Args:
        one, other: maps with both sides of 11 or more; on smaller ones the window is cut to the shorter side, made odd.
        data_range: the largest value there can be, less the smallest.
    """
    mean_1, mean_2 = _blurred(one), _blurred(other)
    variance_1, variance_2 = _blurred(one * one) - mean_1**2, _blurred(other * other) - mean_2**2
    covariance = _blurred(one * other) - mean_1 * mean_2
    c1, c2 = (SSIM_K1 * data_range) ** 2, (SSIM_K2 * data_range) ** 2
    above = (2 * mean_1 * mean_2 + c1) * (2 * covariance + c2)
    below = (mean_1**2 + mean_2**2 + c1) * (variance_1 + variance_2 + c2)
    return (above / below).flatten(1).mean(1)


def center_of_mass(maps: Tensor) -> Tensor:
    """Row and column, from 0, of the mean place weighted by absolute value; (batch, height, width) to (batch, 2).

    The middle of the image where a map is zero everywhere.
    """
    weight = maps.abs()
    weight = torch.where(weight.sum((1, 2), keepdim=True) > 0, weight, torch.ones_like(weight))
    sides = [torch.arange(side, dtype=weight.dtype, device=weight.device) for side in weight.shape[1:]]
    moments = [weight.sum(2) @ sides[0], weight.sum(1) @ sides[1]]
    return torch.stack(moments, 1) / weight.sum((1, 2))[:, None]


def _ranks(values: Tensor) -> Tensor:
    """Mean ranks from 0 of (batch, count): halfway between how many are smaller, and not larger, less one."""
    values = values.contiguous()
    ordered = values.sort(1).values
    smaller = torch.searchsorted(ordered, values)
    return (smaller + torch.searchsorted(ordered, values, right=True) - 1).double() / 2


def _standardized(values: Tensor) -> Tensor:
    centered = values - values.mean(1, keepdim=True)
    return centered / centered.square().mean(1, keepdim=True).sqrt()


def _as_grey(maps: Tensor) -> Tensor:
    """From [-largest, largest] to [0, 1]: of signed values, opposites would multiply to a similarity again."""
    largest = maps.abs().amax((1, 2), keepdim=True)
    return 0.5 + maps / (2 * torch.where(largest > 0, largest, torch.ones_like(largest)))


def _blurred(maps: Tensor) -> Tensor:
    """Weighted means over the window, wherever it lies inside."""
    shorter = min(SSIM_SIDE, *maps.shape[1:])
    side = shorter - 1 + shorter % 2
    return functional.conv2d(maps[:, None], gaussian_window(side, SSIM_SIGMA).to(maps))[:, 0]


def gaussian_window(side: int, sigma: float) -> Tensor:
    """Weights that sum to 1, float64 (1, 1, side, side), `sigma` in pixels."""
    place = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    weight = torch.exp(-(place**2) / (2 * sigma**2))
    return (weight / weight.sum()).outer(weight / weight.sum())[None, None]
