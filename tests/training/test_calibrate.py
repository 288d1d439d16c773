"""The best temperature, where it is known beforehand, and that it changes probabilities alone."""

import math

import pytest
import torch

from app.networks.resnet import ResNet, freeze
from app.training.calibrate import best_temperature, calibrate
from app.training.data import Images
from tests.training.toy import NETWORK, toy_images


@pytest.mark.parametrize("right", [0.6, 0.75, 0.9])
def test_the_best_probability_is_the_share_that_is_right(right: float) -> None:
    """Logits (1, 0), a share `right` of class 0: 1 / (1 + exp(-1 / T)) = right, so T = 1 / ln(right / (1 - right))."""
    label = (torch.arange(100) >= 100 * right).long()
    logits = torch.tensor([[1.0, 0.0]]).expand(100, 2)
    assert best_temperature(logits, label) == pytest.approx(1 / math.log(right / (1 - right)), rel=1e-6)


def test_logits_three_times_as_large_want_three_times_the_temperature() -> None:
    random = torch.Generator().manual_seed(0)
    logits = torch.randn(200, 5, generator=random)
    label = (logits + 2 * torch.randn(200, 5, generator=random)).argmax(1)
    assert best_temperature(3 * logits, label) == pytest.approx(3 * best_temperature(logits, label), rel=1e-6)


def test_logits_that_are_always_right_have_the_lowest_temperature() -> None:
    assert best_temperature(torch.eye(3), torch.arange(3)) == pytest.approx(1 / 20)


def test_a_network_keeps_its_classes_and_is_at_its_best_temperature() -> None:
    torch.manual_seed(0)
    network, images = freeze(ResNet(NETWORK)), toy_images(32)
    before = network(images.floats(slice(None)))
    labels = torch.where(torch.arange(32) < 8, 1 - before.argmax(1), before.argmax(1))  # a quarter is wrong
    images = Images(images.images, labels)
    temperature = calibrate(network, images)
    after = network(images.floats(slice(None)))
    torch.testing.assert_close(after, before / temperature)
    assert best_temperature(after, images.labels) == pytest.approx(1, rel=1e-3)
