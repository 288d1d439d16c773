"""Accuracy-Robustness Area (ARA): how much accuracy is left under attacks of growing size, in one number."""

import torch
from torch import Tensor


def accuracy_robustness_area(smallest_rms: Tensor, classes: int, largest_rms: Tensor | None = None) -> float:
    """Integral over r of max(0, acc(r) - 1 / classes), acc(r) the share of images with smallest_rms > r.

    Exact (the curve is a staircase), where the authors' code takes 1,000 bins from 0 to the largest RMS.

    Args:
        smallest_rms: (images,), smallest successful RMS; 0 where the image was misclassified from the start, infinite
            where it was never flipped.
        classes: number of classes; accuracy at or below chance counts nothing.
        largest_rms: (images,), the largest RMS tried; what an image never flipped counts as.

    Raises:
        ValueError: no images, NaN, or images that were never flipped without the sizes they withstood.
    """
    if not len(smallest_rms):
        raise ValueError("smallest_rms must hold a number for each of one or more images")
    return float(accuracy_robustness_areas(smallest_rms, classes, largest_rms))


def accuracy_robustness_areas(smallest_rms: Tensor, classes: int, largest_rms: Tensor | None = None) -> Tensor:
    """The same for many sets of images at once: (..., images) to float64 (...)."""
    sizes = smallest_rms.double()
    if sizes.isnan().any():
        raise ValueError("smallest_rms must hold a number for each of one or more images")
    if largest_rms is not None:
        sizes = torch.where(sizes.isinf(), largest_rms.double(), sizes)
    if sizes.isinf().any():
        raise ValueError("some images were never flipped: give largest_rms, the sizes they withstood")
    edges, images = sizes.sort().values, sizes.shape[-1]
    standing = 1 - torch.arange(images, dtype=torch.float64, device=edges.device) / images
    widths = edges.diff(prepend=torch.zeros_like(edges[..., :1]))
    return (widths * (standing - 1 / classes).clamp(min=0)).sum(-1)
