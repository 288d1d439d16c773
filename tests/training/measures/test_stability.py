"""What is usual of explanations under noise, on networks whose explanations are known."""

import pytest
import torch
from torch import Tensor, nn

from app.training.measures.stability import calibrate_stability
from tests.training.measures.test_gain import Brightness, grey


class Sides(nn.Module):
    """Compares the halves of an image: the best change is the same for every image, and of two levels."""

    def forward(self, images: Tensor) -> Tensor:
        left, right = images[..., :3].mean((1, 2, 3)), images[..., 3:].mean((1, 2, 3))
        return torch.stack([left - right, right - left], 1)


def test_where_the_best_change_never_changes_nothing_is_sensitive() -> None:
    found = calibrate_stability(Sides(), grey(0.4, 0.5, 0.6), 0.1)
    assert found.calibration.most_usual_sensitivity == pytest.approx(0, abs=1e-4)
    assert found.calibration.least_usual_rank_correlation == pytest.approx(1, abs=1e-4)
    assert (found.calibration.rho, found.images) == (0.1, 3)


def test_maps_without_ranks_count_as_not_repeating() -> None:
    found = calibrate_stability(Brightness(), grey(0.4, 0.6), 0.1)  # every pixel alike, up to rounding
    assert -1 <= found.calibration.least_usual_rank_correlation <= 1


def test_every_batch_is_told_of() -> None:
    told: list[int] = []
    calibrate_stability(Sides(), grey(0.4, 0.5, 0.6), 0.1, told.append)
    assert told == [2, 1]
