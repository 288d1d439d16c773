"""Occlusion on planes, where what a square covers is known."""

import pytest
import torch
from torch import Tensor

from app.comparison.attribution import OcclusionOptions
from app.comparison.occlusion import occlusion
from app.errors import OptionError
from tests.adversarial.tiny import random_convnet, random_images
from tests.comparison.networks import planes

TARGET = torch.tensor([2, 0, 1])


def test_single_pixels_of_planes_lose_their_weight_times_the_distance_from_grey() -> None:
    network, images = planes(), random_images(1, 3, height=6, width=5)
    found = occlusion(network, images, TARGET, OcclusionOptions(window=1, stride=1))
    expected = (network.weight[TARGET] * (images - 0.5)).sum(1, keepdim=True)
    torch.testing.assert_close(found.map, expected.float())
    assert found.cost.forward_passes == 1 + 6 * 5


def plain_occlusion(network: torch.nn.Module, image: Tensor, target: int, window: int, stride: int) -> Tensor:
    """One square after the other; the last of a row or column ends outside."""
    height, width = image.shape[1:]
    lost, covered = torch.zeros(height, width, dtype=image.dtype), torch.zeros(height, width, dtype=image.dtype)
    for top in range(0, height - window + stride, stride):
        for left in range(0, width - window + stride, stride):
            hidden = image.clone()
            hidden[:, top : top + window, left : left + window] = 0.25
            loss = (network(image[None]) - network(hidden[None]))[0, target]
            lost[top : top + window, left : left + window] += loss
            covered[top : top + window, left : left + window] += 1
    return lost / covered


@pytest.mark.parametrize("rows_at_once", [1, 8, 100])
def test_overlapping_squares_equal_the_plain_loop(rows_at_once: int) -> None:
    network, images = random_convnet(2), random_images(1, 3, height=7, width=6)
    options = OcclusionOptions(window=3, stride=2, fill=0.25)
    found = occlusion(network, images, TARGET, options, rows_at_once=rows_at_once)
    expected = torch.stack([plain_occlusion(network, images[i], int(TARGET[i]), 3, 2)[None] for i in range(3)])
    torch.testing.assert_close(found.map, expected.float())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (OcclusionOptions(window=9), "window is 9; it must be a side in pixels, from 1 to 5"),
        (OcclusionOptions(window=2, stride=3), "stride is 3; it must be pixels, from 1 to 2"),
    ],
)
def test_squares_that_do_not_suit_the_image_are_refused(options: OcclusionOptions, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        occlusion(planes(), random_images(1, 3, height=6, width=5), TARGET, options)


def test_more_passes_than_are_made_are_refused() -> None:
    with pytest.raises(OptionError, match="16384 forward passes, at most 10000 are made; widen stride"):
        occlusion(planes(), torch.zeros(1, 1, 128, 128), TARGET[:1], OcclusionOptions(window=1, stride=1))
