"""What the loop climbs, by hand."""

import math

import pytest
import torch

from app.adversarial.drives import cross_entropy, margin
from tests.reference import plain_cross_entropy, plain_margin

LOGITS = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [-3.0, 4.0, 3.5]], dtype=torch.float64)


def test_margin_is_the_best_other_less_the_label() -> None:
    assert margin(LOGITS, torch.tensor([0, 1, 2])).tolist() == [0.5 - 2.0, 0.0, 4.0 - 3.5]


def test_cross_entropy_of_three_equal_logits_is_log_three() -> None:
    assert float(cross_entropy(LOGITS, torch.tensor([0, 1, 2]))[1]) == pytest.approx(math.log(3))


@pytest.mark.parametrize("label", [0, 1, 2])
def test_both_equal_the_oracle(label: int) -> None:
    labels = torch.full((3,), label)
    for i, logits in enumerate(LOGITS):
        assert float(cross_entropy(LOGITS, labels)[i]) == pytest.approx(float(plain_cross_entropy(label)(logits)))
        assert float(margin(LOGITS, labels)[i]) == pytest.approx(float(plain_margin(label)(logits)))


def test_the_margin_climbs_the_best_other_and_leaves_the_rest() -> None:
    logits = LOGITS.clone().requires_grad_()
    (slope,) = torch.autograd.grad(margin(logits, torch.tensor([0, 1, 2])).sum(), logits)
    assert slope[0].tolist() == [-1.0, 0.0, 1.0]
    assert slope[2].tolist() == [0.0, 1.0, -1.0]
