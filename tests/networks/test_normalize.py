"""Normalization by hand."""

import torch

from app.networks.normalize import Normalize


def test_each_channel_has_its_own_mean_and_deviation() -> None:
    images = torch.tensor([0.5, 0.5, 1.0]).view(1, 3, 1, 1)
    normalized = Normalize((0.0, 0.5, 0.5), (0.5, 1.0, 0.25))(images)
    assert normalized.flatten().tolist() == [1, 0, 2]


def test_a_grey_image_becomes_three_equal_channels_before_three_means() -> None:
    grey = torch.full((2, 1, 4, 5), 0.5)
    colour = grey.expand(2, 3, 4, 5)
    normalize = Normalize((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    assert torch.equal(normalize(grey), normalize(colour))


def test_the_numbers_are_not_in_the_state_dict() -> None:
    assert not Normalize((0.1,), (0.2,)).state_dict()
