"""A linear network of two classes, on which the nearest misread image is known."""

import torch
from torch import Tensor, nn


class Linear(nn.Module):
    """Logits (0, <normal, image> - level): a plane parts the classes."""

    def __init__(self, normal: Tensor, level: float) -> None:
        super().__init__()
        self.normal, self.level = normal, level

    def forward(self, images: Tensor) -> Tensor:
        lead = (images * self.normal).flatten(1).sum(1) - self.level
        return torch.stack([torch.zeros_like(lead), lead], 1)


def mid_grey_beside_plane(distance_l2: float, *, size: int = 8) -> tuple[Linear, Tensor, Tensor]:
    """A network, one image (1, 1, size, size) at that L2 distance from its plane, and its label, 0."""
    normal = torch.randn(1, size, size, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    normal = normal / normal.norm()
    image = torch.full((1, 1, size, size), 0.5, dtype=torch.float64)
    return Linear(normal, float((normal * image).sum()) + distance_l2), image, torch.tensor([0])
