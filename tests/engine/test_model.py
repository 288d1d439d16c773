"""What a row of a network costs: numbers counted by hand."""

import torch
from torch import nn

from app.engine.model import open_model, working_bytes
from app.engine.steps.eager import eager

CPU = torch.device("cpu")


def test_working_memory_is_what_the_way_back_needs_weights_left_out() -> None:
    """Tanh keeps its output, 5 x 4 x 3 floats; the convolution its input, 2 x 4 x 3, since weights take no gradient."""
    network = nn.Sequential(nn.Conv2d(2, 5, 1), nn.Tanh(), nn.Flatten(), nn.Linear(60, 3))
    assert working_bytes(network.eval().requires_grad_(False), (2, 4, 3), CPU) in {4 * 60, 4 * (60 + 24)}


def test_it_grows_with_the_pixels() -> None:
    network = nn.Sequential(nn.Tanh(), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert working_bytes(network, (3, 8, 8), CPU) == 4 * working_bytes(network, (3, 4, 4), CPU)


def test_it_is_never_less_than_an_image() -> None:
    assert working_bytes(nn.Flatten(), (3, 8, 8), CPU) == 4 * 3 * 8 * 8


def test_a_model_equals_itself_alone_and_says_what_it_costs() -> None:
    network = nn.Flatten()
    model, same = (open_model(network, eager(network), (3, 8, 8), CPU) for _ in range(2))
    assert model != same
    assert model.cost("climb") == 3 * model.cost("look") == 768
    assert model.held_bytes == 5 * 768
