"""Probability bought by a change, on the two-pixel network, whose probabilities are known."""

import math

import pytest
import torch

from app.comparison.gain import gain_of
from tests.adversarial.tiny import two_pixel_image, two_pixel_network

TARGET = torch.tensor([1])
UP = torch.tensor([[[[1.0, -1.0]]]], dtype=torch.float64)


def sigmoid(logit: float) -> float:
    return 1 / (1 + math.exp(-logit))


def test_the_best_direction_gains_what_is_known() -> None:
    found = gain_of(two_pixel_network, two_pixel_image(0.2), TARGET, 30 * UP, size_rms=0.1)
    gained = sigmoid(0.4) - sigmoid(0.2)  # a change of RMS r moves the logit by 2 r
    assert found.probability_gain.item() == pytest.approx(gained)
    assert found.perturbation_rms.item() == pytest.approx(0.1)
    assert found.gain_per_rms.item() == pytest.approx(gained / 0.1)


def test_the_opposite_direction_loses() -> None:
    assert gain_of(two_pixel_network, two_pixel_image(0.2), TARGET, -UP, size_rms=0.1).gain_per_rms.item() < 0


def test_what_clamping_takes_away_is_not_counted() -> None:
    found = gain_of(two_pixel_network, two_pixel_image(0.8), TARGET, UP, size_rms=0.3)  # pixels .9 and .1, room for .1
    assert found.perturbation_rms.item() == pytest.approx(0.1)
    assert found.gain_per_rms.item() == pytest.approx((sigmoid(1.0) - sigmoid(0.8)) / 0.1)


def test_a_zero_map_gains_nothing() -> None:
    found = gain_of(two_pixel_network, two_pixel_image(0.2), TARGET, 0 * UP, size_rms=0.1)
    assert [found.probability_gain.item(), found.perturbation_rms.item(), found.gain_per_rms.item()] == [0, 0, 0]


def test_a_map_of_one_channel_changes_all_channels_alike() -> None:
    colored = two_pixel_image(0.2).repeat(1, 3, 1, 1)
    assert gain_of(two_pixel_network, colored, TARGET, UP, size_rms=0.1).perturbation_rms.item() == pytest.approx(0.1)
