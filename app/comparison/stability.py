"""Whether an explanation is the same for what looks the same, and when it is asked for again."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.sizes import l2, per_row, rms
from app.comparison.agreement import agreement


@dataclass(frozen=True)
class Repeatability:
    """How repeated maps agree with the first, float64 (batch,).

    Attributes:
        spearman_mean, spearman_least: rank correlations; NaN where a map is the same everywhere.
        ssim_mean, ssim_least: structural similarities.
    """

    spearman_mean: Tensor
    spearman_least: Tensor
    ssim_mean: Tensor
    ssim_least: Tensor


def max_sensitivity(
    explain: Callable[[Tensor], Tensor], images: Tensor, *, radius: float = 0.02, samples: int = 10, seed: int = 0
) -> Tensor:
    """Largest change of the map, as a share of its L2 norm, for noise within `radius`; (batch,), 0 for no change.

    Yeh et al. 2019 (arXiv 1901.09392), by sampling, relative as others' implementations have it. Where the map is zero
    the change itself is given.

    Args:
        explain: images to maps (batch, ...); asked once for the images and once for each sample.
        images: (batch, channels, height, width).
        radius: largest change of a pixel level, uniform in both directions, not clamped to [0, 1].
        samples: how many.
        seed: of the noise, which is the same for every image.
    """
    random = torch.Generator().manual_seed(seed)
    noise = (2 * torch.rand(samples, *images.shape[1:], generator=random) - 1).to(images) * radius
    before = explain(images)
    size = l2(before)
    changes = torch.stack([l2(explain(images + some) - before) for some in noise])
    return changes.amax(0) / torch.where(size > 0, size, torch.ones_like(size))


def repeatability(
    explain: Callable[[Tensor, int], Tensor],
    images: Tensor,
    *,
    repeats: int = 5,
    noise_rms: float = 0.0,
    seed: int = 0,
) -> Repeatability:
    """Compare the maps for `seed` with those for the seeds that follow it.

    Args:
        explain: images and a seed to maps (batch, channels, height, width).
        images: (batch, channels, height, width).
        repeats: how many seeds follow, at least 1.
        noise_rms: size of the Gaussian noise that each repeat finds added to the images, 0 for none.
        seed: of the first maps; each repeat's noise is drawn by its own seed.
    """
    first = explain(images, seed)
    seeds = range(seed + 1, seed + 1 + repeats)
    found = [agreement(first, explain(images + _noise(images, noise_rms, again), again)) for again in seeds]
    spearman, ssim = torch.stack([one.spearman for one in found]), torch.stack([one.ssim for one in found])
    return Repeatability(spearman.mean(0), spearman.amin(0), ssim.mean(0), ssim.amin(0))


def _noise(images: Tensor, size_rms: float, seed: int) -> Tensor:
    """The same for every image, of exactly that size."""
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(1, *images.shape[1:], generator=random).to(images)
    return noise * per_row(size_rms / rms(noise), noise)
