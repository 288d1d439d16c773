"""Whether an explanation is the same for what looks the same: for an image with noise on it that nobody sees."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.sizes import l2, per_row, rms
from app.comparison.agreement import agreement
from app.comparison.attribution import MAX_PASSES, ExplainedBy, require_within


@dataclass(frozen=True)
class StabilityOptions:
    """What an image is changed by. Noise is the same for every image, and is not clamped to [0, 1].

    Attributes:
        radius: of the sensitivity's noise, uniform in both directions: largest change of a pixel level.
        samples: images with such noise.
        noise_rms: of the repeats' Gaussian noise: a pixel level by default, as much as saving a picture anew may do.
        repeats: images with such noise.
        seed: of all noise.
    """

    radius: float = 0.02
    samples: int = 10
    noise_rms: float = 1 / 255
    repeats: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        require_within("samples", self.samples, 1, MAX_PASSES, "a number of noisy images")
        require_within("repeats", self.repeats, 1, MAX_PASSES, "a number of noisy images")

    @property
    def maps(self) -> int:
        """Maps that are made of each image: of itself, and of all that has noise on it."""
        return 1 + self.samples + self.repeats


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


@dataclass(frozen=True)
class Stability:
    """Of each image's map: `max_sensitivity` as the function says, (batch,), and how it repeats."""

    max_sensitivity: Tensor
    repeatability: Repeatability


def stability(
    explain: ExplainedBy, images: Tensor, target: Tensor, options: StabilityOptions = StabilityOptions()
) -> Stability:
    """Explain each image as it is and with noise on it, all at once, and compare.

    Args:
        explain: the method; asked once, for `options.maps` times as many images.
        images: (batch, channels, height, width).
        target: int64 (batch,).
        options: of the noise.
    """
    uniform = with_uniform_noise(images, options.radius, options.samples, options.seed)
    gaussian = with_gaussian_noise(images, options.noise_rms, options.repeats, options.seed)
    shown = torch.cat([images[None], uniform, gaussian])
    maps = explain(shown.flatten(0, 1), target.repeat(len(shown)))
    maps = maps.view(*shown.shape[:2], *maps.shape[1:])
    before, shaken, repeated = torch.split(maps, [1, options.samples, options.repeats])
    return Stability(max_sensitivity(before[0], shaken), repeatability(before[0], repeated))


def max_sensitivity(before: Tensor, after: Tensor) -> Tensor:
    """Largest change of a map, as a share of its L2 norm, (batch,); where the map is zero, the change itself.

    Yeh et al. 2019 (arXiv 1901.09392), by sampling, relative as others' implementations have it.

    Args:
        before: maps of the images, (batch, ...).
        after: maps of them with noise within a radius, (samples, batch, ...).
    """
    size = l2(before)
    changes = torch.stack([l2(maps - before) for maps in after])
    return changes.amax(0) / torch.where(size > 0, size, torch.ones_like(size))


def repeatability(first: Tensor, repeated: Tensor) -> Repeatability:
    """Compare maps (repeats, batch, channels, height, width) with the first, (batch, channels, height, width)."""
    found = [agreement(first, maps) for maps in repeated]
    spearman, ssim = torch.stack([one.spearman for one in found]), torch.stack([one.ssim for one in found])
    return Repeatability(spearman.mean(0), spearman.amin(0), ssim.mean(0), ssim.amin(0))


def with_uniform_noise(images: Tensor, radius: float, samples: int, seed: int) -> Tensor:
    """Images with up to `radius` added to or taken from each pixel; to (samples, *images.shape)."""
    random = torch.Generator().manual_seed(seed)
    noise = 2 * torch.rand(samples, 1, *images.shape[1:], generator=random) - 1
    return images + radius * noise.to(images)


def with_gaussian_noise(images: Tensor, size_rms: float, samples: int, seed: int) -> Tensor:
    """Images with noise of exactly that RMS; to (samples, *images.shape)."""
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(samples, *images.shape[1:], generator=random).to(images)
    return images + (noise * per_row(size_rms / rms(noise), noise))[:, None]
