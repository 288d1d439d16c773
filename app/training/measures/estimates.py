"""Numbers with their 95% intervals."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Z_95 = 1.959964  # two-sided 95% of the normal distribution
RESAMPLES = 2000


@dataclass(frozen=True)
class Estimate:
    """A value and its 95% interval."""

    value: float
    low: float
    high: float


def share(successes: int, count: int) -> Estimate:
    """A share with its Wilson interval (Wilson 1927); of no cases, anything from 0 to 1."""
    if not count:
        return Estimate(math.nan, 0.0, 1.0)
    value = successes / count
    centre = value + Z_95**2 / (2 * count)
    spread = Z_95 * math.sqrt(value * (1 - value) / count + Z_95**2 / (4 * count**2))
    whole = 1 + Z_95**2 / count
    return Estimate(value, max(0.0, (centre - spread) / whole), min(1.0, (centre + spread) / whole))


def share_of(hits: Tensor) -> Estimate:
    """The share of true values in a bool (count,), with its Wilson interval."""
    return share(int(hits.sum()), len(hits))


def bootstrap(statistic: Callable[[Tensor], Tensor], count: int, seed: int) -> Estimate:
    """A statistic of images with its percentile interval over images drawn again with replacement.

    Args:
        statistic: of the images at an index, int64 (resamples, count), to (resamples,); NaN is left out.
        count: how many images there are.
        seed: of the resamples; the same for two networks on the same images, which then are drawn in pairs.
    """
    drawn = torch.randint(count, (RESAMPLES, count), generator=torch.Generator().manual_seed(seed))
    values = statistic(drawn).double()
    low, high = torch.nanquantile(values, torch.tensor([0.025, 0.975], dtype=torch.float64)).tolist()
    return Estimate(float(statistic(torch.arange(count)[None])), low, high)
