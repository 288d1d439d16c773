"""Input normalization as the network's first layer.

Inside the network, so that everything outside counts in pixels a person sees: [0, 1], and sizes in RMS of those. A
perturbation measured after normalization would have another size in each channel.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Normalize(nn.Module):
    """(images - mean) / std, by channel; images (batch, channels, height, width) in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        # Not in the state dict: model.json says them, and saying them twice would let them differ.
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        return (images - self.mean) / self.std
