"""Deletion and insertion over images, on a network that looks at a single pixel."""

import pytest
import torch
from torch import Tensor, nn

from app.training.measures.pixel_order import pixel_orders


class Corner(nn.Module):
    """The first class is as probable as the first pixel is light."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.Conv2d(1, 1, 1, bias=False)  # a feature map, which is the image
        nn.init.ones_(self.seen.weight)

    def forward(self, images: Tensor) -> Tensor:
        light = self.seen(images)[:, 0, 0, 0].clamp(1e-6, 1 - 1e-6)
        return torch.stack([light, 1 - light], 1).log()


def test_what_finds_the_only_pixel_that_counts_beats_every_order_that_does_not() -> None:
    images = torch.full((3, 1, 8, 8), 0.9)
    told: list[int] = []
    orders = {one.by: one for one in pixel_orders(Corner(), images, rho=0.02, tell=told.append)}
    gone = 0.9 * (1 / 32) / 2  # within the first of 32 steps
    for method in ("adversarial", "gradient", "integrated_gradients"):
        assert orders[method].deletion_area == pytest.approx(gone, abs=1e-3)
        better = orders[method].deletes_better
        assert better is not None
        assert better.value == 1.0
    assert orders["random"].deletion_area > 0.1
    assert orders["random"].deletes_better is None
    assert (orders["edges"].images, told) == (3, [3])
