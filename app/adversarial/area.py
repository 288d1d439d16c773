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
    sizes = smallest_rms.double()
    if not len(sizes) or sizes.isnan().any():
        raise ValueError("smallest_rms must hold a number for each of one or more images")
    if largest_rms is not None:
        sizes = torch.where(sizes.isinf(), largest_rms.double(), sizes)
    if sizes.isinf().any():
        raise ValueError("some images were never flipped: give largest_rms, the sizes they withstood")
    edges = sizes.sort().values
    standing = 1 - torch.arange(len(edges), dtype=torch.float64, device=edges.device) / len(edges)
    widths = edges.diff(prepend=edges.new_zeros(1))
    return float((widths * (standing - 1 / classes).clamp(min=0)).sum())
