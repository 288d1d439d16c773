"""The regularizer against each image's Jacobian and finite differences, psi by hand."""

import math

import pytest
import torch
from torch import nn

from app.training.losses import WeightAverage, draw_scores, lipschitz_penalty, next_pressure, psi
from app.training.recipe import Lipschitz
from tests.adversarial.tiny import random_convnet, random_images
from tests.reference import plain_penalty

LABEL = [0, 3, 1, 2]
MIXED = [True, False, True, False]
DRAWN = [1, 0, 2, 3]


@pytest.mark.parametrize("tandem", [MIXED, [True] * 4, [False] * 4])
def test_the_penalty_equals_the_jacobians(tandem: list[bool]) -> None:
    network, images = random_convnet(1), random_images(2, 4).requires_grad_()
    ours = lipschitz_penalty(network(images), images, *map(torch.tensor, (LABEL, tandem, DRAWN)))
    slow = plain_penalty(network, images.detach(), LABEL, tandem, DRAWN)
    torch.testing.assert_close(ours.detach(), slow.detach(), rtol=1e-12, atol=0)


def test_its_gradient_for_the_weights_equals_finite_differences() -> None:
    network, images = random_convnet(3).requires_grad_(True), random_images(4, 4)
    leaf = images.clone().requires_grad_()
    parameters = [parameter for name, parameter in network.named_parameters() if name.endswith("weight")]
    penalty = lipschitz_penalty(network(leaf), leaf, *map(torch.tensor, (LABEL, MIXED, DRAWN)))
    gradients = torch.autograd.grad(penalty, parameters)

    h = 1e-5
    for parameter, gradient in zip(parameters, gradients, strict=True):
        numbers = parameter.detach().view(-1)
        for at in (0, len(numbers) // 2, len(numbers) - 1):
            kept = float(numbers[at])
            sides = []
            for value in (kept + h, kept - h):
                numbers[at] = value
                sides.append(float(plain_penalty(network, images, LABEL, MIXED, DRAWN).detach()))
            numbers[at] = kept
            assert float(gradient.flatten()[at]) == pytest.approx((sides[0] - sides[1]) / (2 * h), rel=1e-5, abs=1e-7)


def test_a_linear_score_by_hand() -> None:
    # s = 3 left - 4 right on two pixels: the mean of 9 and 16
    images = torch.zeros(2, 1, 1, 2, requires_grad=True)
    score = 3 * images[:, 0, 0, 0] - 4 * images[:, 0, 0, 1]
    logits = torch.stack([score, torch.zeros(2)], 1)
    zeros = torch.zeros(2, dtype=torch.int64)
    assert lipschitz_penalty(logits, images, zeros, zeros.bool(), zeros).item() == 12.5


def test_scores_are_drawn_with_the_papers_odds() -> None:
    tandem, drawn = draw_scores(Lipschitz(), 20_000, 10, torch.Generator().manual_seed(0))
    assert float(tandem.float().mean()) == pytest.approx(0.2, abs=0.01)
    assert (torch.bincount(drawn, minlength=10) / 20_000).tolist() == pytest.approx([0.1] * 10, abs=0.01)


def test_psi_by_hand() -> None:
    assert psi(Lipschitz(), 0.0) == 220.0
    assert psi(Lipschitz(), 50.0) == pytest.approx(220 * math.e)


@pytest.mark.parametrize(
    ("pressure", "loss", "after"),
    [
        (10.0, 1.5, 10.0),  # at the target
        (10.0, 1.5 * math.exp(-0.25), 10.25),  # better: up by the logarithm
        (10.0, 1.5 * math.exp(-3), 11.0),  # much better: up by 1 at most
        (10.0, 0.0, 11.0),
        (10.0, 1.5 * math.exp(0.004), 9.996),  # worse: down by the logarithm
        (10.0, 9.0, 9.99),  # much worse: down by 0.01 at most
        (0.005, 9.0, 0.0),  # never below zero
    ],
)
def test_pressure_by_hand(pressure: float, loss: float, after: float) -> None:
    assert next_pressure(Lipschitz(), pressure, loss) == pytest.approx(after, abs=1e-12)


def one_number(value: float, seen: int) -> nn.Module:
    """A network of one weight, and a count of batches that is no floating point number."""
    network = nn.BatchNorm1d(1)
    network.load_state_dict(
        network.state_dict() | {"weight": torch.tensor([value]), "num_batches_tracked": torch.tensor(seen)}
    )
    return network


def test_a_young_average_forgets_faster_by_hand() -> None:
    average = WeightAverage(one_number(1.0, 0), one_number(5.0, 9), decay=0.5)
    kept = average.average.state_dict()
    assert kept["weight"].item() == 1.0  # starts as the network

    average.update(one_number(2.0, 3), step=0)  # decay 1 / 10
    assert kept["weight"].item() == pytest.approx(0.1 * 1 + 0.9 * 2)
    assert kept["num_batches_tracked"].item() == 3

    average.update(one_number(4.0, 4), step=1000)  # decay 1 / 2
    assert kept["weight"].item() == pytest.approx(0.5 * 1.9 + 0.5 * 4)
    assert not average.average.training
    assert not any(parameter.requires_grad for parameter in average.average.parameters())


def test_without_decay_the_average_is_the_network() -> None:
    average = WeightAverage(one_number(1.0, 0), one_number(1.0, 0), decay=0.0)
    average.update(one_number(0.1, 1), step=5)
    assert torch.equal(average.average.state_dict()["weight"], torch.tensor([0.1]))
