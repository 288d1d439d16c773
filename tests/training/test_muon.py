"""Muon against singular values worked out in float64, and against torch's own SGD where it is SGD."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from app.networks.resnet import ResNet
from app.training.muon import make_optimizer, orthogonalized
from app.training.recipe import Muon
from tests.training.toy import NETWORK, RECIPE


def iterated(value: float, iterations: int) -> float:
    """What the iteration does to one singular value."""
    for _ in range(iterations):
        value = 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5
    return value


@pytest.mark.parametrize(("rows", "columns"), [(6, 20), (20, 6), (7, 7)])
def test_only_the_singular_values_change(rows: int, columns: int) -> None:
    matrix = torch.randn(rows, columns, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    left, values, right = torch.linalg.svd(matrix, full_matrices=False)
    wanted = torch.tensor([iterated(float(value / matrix.norm()), 3) for value in values], dtype=torch.float64)
    scale = max(1, rows / columns) ** 0.5
    torch.testing.assert_close(orthogonalized(matrix, 3), scale * (left * wanted) @ right, rtol=1e-5, atol=1e-6)


def test_an_orthogonal_matrix_keeps_its_direction() -> None:
    """All singular values of a rotation by 90 degrees are 1, and 1 / sqrt(2) after division by the norm."""
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]])
    torch.testing.assert_close(orthogonalized(5 * turn, 2), iterated(0.5**0.5, 2) * turn)


def test_no_gradient_is_no_movement() -> None:
    assert orthogonalized(torch.zeros(3, 4), 3).equal(torch.zeros(3, 4))


def moved(network: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> dict[str, torch.Tensor]:
    """Weights after steps whose gradients are drawn, not computed."""
    random = torch.Generator().manual_seed(2)
    for _ in range(steps):
        for parameter in network.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=random)
        optimizer.step()
    return {name: parameter.detach() for name, parameter in network.named_parameters()}


def test_what_is_no_convolution_moves_as_by_sgd() -> None:
    recipe = replace(RECIPE, muon=Muon(), nesterov=True, weight_decay=1e-2)
    networks = []
    for _ in range(2):
        torch.manual_seed(0)
        networks.append(ResNet(NETWORK))
    ours = moved(networks[0], make_optimizer(networks[0], recipe), steps=3)
    theirs = moved(networks[1], make_optimizer(networks[1], replace(recipe, muon=None)), steps=3)
    for name, values in ours.items():
        convolution = values.ndim == 4
        assert convolution or torch.allclose(values, theirs[name], rtol=1e-5, atol=1e-7), name
        assert not convolution or not torch.allclose(values, theirs[name]), name


def test_a_convolution_moves_by_its_rate() -> None:
    """The first update is along the gradient, orthogonalized; the weights shrink by rate * decay before it."""
    muon = Muon(rate=0.1, momentum=0.9, weight_decay=0.5, iterations=3)
    recipe = replace(RECIPE, muon=muon, learning_rate=0.2)
    layer = nn.Conv2d(2, 3, 3, bias=False)
    before, gradient = layer.weight.detach().clone(), torch.randn_like(layer.weight)
    optimizer = make_optimizer(layer, recipe)
    for group in optimizer.param_groups:
        group["lr"] = recipe.learning_rate * group["rate_factor"]
    layer.weight.grad = gradient
    optimizer.step()
    wanted = before * (1 - 0.1 * 0.5) - 0.1 * orthogonalized(gradient.flatten(1), 3).view_as(before)
    torch.testing.assert_close(layer.weight.detach(), wanted)
