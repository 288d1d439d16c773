"""What explanations gain for their size, on a network of which the best change is known."""

import pytest
import torch
from torch import Tensor, nn

from app.training.measures.gain import calibrate_gain, gains

RHO = 0.12


class Brightness(nn.Module):
    """Logits: `slope` times the mean less a half, and its opposite; the best change moves every pixel alike."""

    def forward(self, images: Tensor) -> Tensor:
        tilt = 2 * (images.mean((1, 2, 3)) - 0.5)
        return torch.stack([tilt, -tilt], 1)


def grey(*levels: float) -> Tensor:
    return torch.tensor(levels)[:, None, None, None].expand(-1, 1, 6, 6)


def probability(level: float) -> float:
    """Of the first class."""
    return float(torch.sigmoid(torch.tensor(4 * (level - 0.5))))


def test_a_gain_is_what_the_best_change_gains_on_a_picture_of_8_bits() -> None:
    level, after = 153 / 255, round(255 * (153 / 255 + RHO)) / 255
    expected = (probability(after) - probability(level)) / (after - level)
    (gain,) = gains(Brightness(), grey(level), torch.tensor([0]), "encourage", RHO).tolist()
    assert gain == pytest.approx(expected, rel=1e-4)


def test_discouraging_a_class_of_two_gains_as_much_as_encouraging_the_other() -> None:
    images = grey(0.3, 0.6)
    down = gains(Brightness(), images, torch.tensor([0, 0]), "discourage", RHO)
    up = gains(Brightness(), images, torch.tensor([1, 1]), "encourage", RHO)
    assert torch.allclose(down, up)
    assert bool((down > 0).all())


def test_the_least_usual_is_what_all_but_one_in_twenty_pass() -> None:
    levels = [0.5 + 0.2 * number / 100 for number in range(1, 102)]  # all of the first class, which saturates
    every = gains(Brightness(), grey(*levels), torch.zeros(101, dtype=torch.int64), "encourage", RHO)
    found = calibrate_gain(Brightness(), grey(*levels), RHO)
    assert found.calibration.encourage_predicted == pytest.approx(float(every.sort().values[5]), rel=1e-6)
    assert found.images == 101
