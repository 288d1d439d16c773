"""What all methods have in common."""

import pytest
import torch

from app.comparison.attribution import Cost
from app.comparison.methods import METHODS
from tests.comparison.networks import Counted
from tests.networks.small import images, small_network

every_method = pytest.mark.parametrize("name", METHODS)


@every_method
def test_maps_are_finite_float32_of_the_images_places_and_the_images_stay(name: str) -> None:
    network = small_network()
    shown = images(network)
    kept = shown.clone()
    found = METHODS[name](network, shown, torch.tensor([0, 1])).map
    assert found.dtype == torch.float32
    assert not found.requires_grad
    assert found.shape in ((2, 3, 8, 10), (2, 1, 8, 10))
    assert found.isfinite().all()
    assert torch.equal(shown, kept)
    assert not shown.requires_grad


@every_method
def test_the_cost_said_is_the_cost_counted(name: str) -> None:
    counted = Counted(small_network())
    found = METHODS[name](counted, images(small_network(), 1), torch.tensor([0]))
    assert Cost(gradient_evaluations=counted.rows[True], forward_passes=counted.rows[False]) == found.cost


@every_method
def test_the_same_call_gives_the_same_map(name: str) -> None:
    network = small_network()
    one, other = (METHODS[name](network, images(network), torch.tensor([0, 1])).map for _ in range(2))
    assert torch.equal(one, other)
