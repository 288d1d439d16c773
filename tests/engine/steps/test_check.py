"""What is taken for the same, and what is not."""

import pytest
import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.engine.steps.check import relative_error, require_same
from app.engine.steps.eager import eager
from app.errors import StepUnavailable
from tests.engine.steps.networks import SHAPE, between


class Scaled:
    """An eager step whose gradient is off by a factor, in rows of one drive."""

    name = "scaled"

    def __init__(self, factor: float, *, margin: bool) -> None:
        self._eager = eager(between())
        self._factor = factor
        self._margin = margin

    def logits(self, images: Tensor) -> Tensor:
        return self._eager.logits(images)

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        logits, gradient = self._eager.logits_and_gradient(images, aims)
        wrong = (aims.margin == self._margin).view(-1, 1, 1, 1)
        return logits, torch.where(wrong, self._factor * gradient, gradient)


@pytest.mark.parametrize("margin", [False, True])
@pytest.mark.parametrize("rows", [1, 2, 3])
def test_the_error_is_the_share_of_the_norm_in_the_worst_row(rows: int, *, margin: bool) -> None:
    error = relative_error(Scaled(1.25, margin=margin), eager(between()), torch.rand(2, *SHAPE), rows)
    assert error == pytest.approx(0.25, rel=1e-3)


def test_a_right_step_passes() -> None:
    require_same(Scaled(1.0, margin=False), eager(between()), SHAPE, 2)


@pytest.mark.parametrize("factor", [1.001, 0.0, float("nan")])
def test_a_wrong_step_is_refused_with_its_error(factor: float) -> None:
    with pytest.raises(StepUnavailable, match=r"scaled step is off by .* in batches of 3, where 1e-04 is allowed"):
        require_same(Scaled(factor, margin=True), eager(between()), SHAPE, 3)
