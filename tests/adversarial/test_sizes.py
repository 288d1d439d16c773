"""RMS and L2 of perturbations, by hand."""

import math

import pytest
import torch

from app.adversarial.sizes import l2, l2_per_rms, rms
from tests.adversarial.tiny import random_images
from tests.reference import plain_rms


def test_a_three_four_five_triangle() -> None:
    change = torch.tensor([[[[3.0, -4.0]]], [[[0.0, 0.0]]]])
    assert l2(change).tolist() == [5.0, 0.0]
    assert rms(change).tolist() == pytest.approx([5 / math.sqrt(2), 0.0])


def test_rms_equals_the_oracle_row_by_row() -> None:
    change = random_images(1, 6)
    assert rms(change).tolist() == pytest.approx([plain_rms(row) for row in change])


def test_rms_times_the_factor_is_l2() -> None:
    change = random_images(2, 3, channels=3, height=7, width=2)
    assert (rms(change) * l2_per_rms(3, 7, 2)).tolist() == pytest.approx(l2(change).tolist())


def test_on_cifar10_an_rms_of_one_hundredth_is_an_l2_of_0_554() -> None:
    assert 0.01 * l2_per_rms(3, 32, 32) == pytest.approx(0.554, abs=5e-4)
