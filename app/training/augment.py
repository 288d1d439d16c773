"""Batches of training images, each changed by chance in a way that leaves its class alone."""

import math

import torch
from torch import Tensor
from torch.nn import functional


def augment(images: Tensor, padding: int, random: torch.Generator) -> Tensor:
    """Shift each image by up to `padding` pixels, edges replicated, and mirror half of them; same shape and type."""
    count, channels, height, width = images.shape
    top = torch.randint(-padding, padding + 1, (count, 1), generator=random)
    left = torch.randint(-padding, padding + 1, (count, 1), generator=random)
    row = (torch.arange(height) + top).clamp(0, height - 1)
    column = (torch.arange(width) + left).clamp(0, width - 1)  # clamping the index is what replicates the edge
    mirrored = torch.rand(count, 1, generator=random) < 0.5
    column = torch.where(mirrored, column.flip(1), column)
    at = torch.arange(count)[:, None, None, None]
    return images[at, torch.arange(channels)[None, :, None, None], row[:, None, :, None], column[:, None, None, :]]


def random_aspect(images: Tensor, max_ratio: float, random: torch.Generator) -> Tensor:
    """Change each image's width over height, so that nothing can be read from how it was squashed to its shape.

    A ratio is drawn between 1 / `max_ratio` and `max_ratio`, uniform in its logarithm. The wider or higher image is cut
    back to its shape, at a place drawn too: nothing is shrunk, so there is no rim to fill in. A `max_ratio` of 1 draws
    nothing.

    Args:
        images: (batch, channels, height, width), uint8 or floating-point.
        max_ratio: 1 or more.
        random: of the CPU.

    Returns:
        The same shape, type and device, interpolated linearly; uint8 is rounded.
    """
    if max_ratio == 1:
        return images
    if not 1 < max_ratio < math.inf:
        raise ValueError(f"max_ratio is {max_ratio}; it must be 1 or more")
    ratio = torch.exp((2 * torch.rand(len(images), generator=random) - 1) * math.log(max_ratio))
    place = 2 * torch.rand(len(images), generator=random) - 1
    part = torch.stack([(1 / ratio).clamp(max=1), ratio.clamp(max=1)], dim=1)  # seen of the width, and of the height
    window = torch.zeros(len(images), 2, 3)
    window[:, 0, 0], window[:, 1, 1] = part[:, 0], part[:, 1]
    window[:, :, 2] = place[:, None] * (1 - part)  # in halves of the image from its middle, as affine_grid counts
    kind = images.dtype if images.is_floating_point() else torch.float32
    grid = functional.affine_grid(window.to(images.device, kind), list(images.shape), align_corners=False)
    seen = functional.grid_sample(images.to(kind), grid, padding_mode="border", align_corners=False)
    return seen if images.is_floating_point() else seen.round().to(images.dtype)
