"""Half-Huber against its definition, by hand and by finite differences."""

import torch
from torch import Tensor

from app.networks.activations import HalfHuber

POINTS = (-1.0, 0.0, 0.25, 0.5, 1.0)


def _points() -> Tensor:
    return torch.tensor(POINTS, dtype=torch.float64, requires_grad=True)


def test_half_huber_values_worked_by_hand() -> None:
    # x**2 / (2 * 0.5) up to 0.5, then x - 0.25
    assert HalfHuber()(_points()).tolist() == [0, 0, 0.0625, 0.25, 0.75]


def test_half_huber_slope_is_clamp_over_delta() -> None:
    x = _points()
    (slope,) = torch.autograd.grad(HalfHuber()(x).sum(), x)
    assert slope.tolist() == [0, 0, 0.5, 1, 1]


def test_half_huber_second_derivative_lives_inside_the_corner_alone() -> None:
    x = _points()
    (slope,) = torch.autograd.grad(HalfHuber()(x).sum(), x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), x)
    assert bend[[0, 2, 4]].tolist() == [0, 2, 0]


def test_half_huber_derivatives_agree_with_finite_differences() -> None:
    x = torch.tensor([-1.0, -0.1, 0.05, 0.3, 0.45, 0.55, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(HalfHuber(), x)
    assert torch.autograd.gradgradcheck(HalfHuber(), x)


def test_half_huber_of_another_delta() -> None:
    x = torch.tensor([0.5, 1.0, 2.0, 5.0])
    assert HalfHuber(2.0)(x).tolist() == [0.0625, 0.25, 1, 4]


def test_half_huber_keeps_the_memory_format() -> None:
    x = torch.randn(2, 4, 3, 3).contiguous(memory_format=torch.channels_last)
    assert HalfHuber()(x).is_contiguous(memory_format=torch.channels_last)
