"""torchvision's classifiers by name."""

import pytest
import torch
import torchvision  # type: ignore[import-untyped]  # it ships no types

from app.errors import CheckpointError
from app.networks.build import IMAGENET_MEAN, IMAGENET_STD, TorchvisionConfig, build_network, torchvision_names
from app.networks.resnet import freeze


def test_normalization_is_the_first_layer_and_the_rest_is_torchvisions() -> None:
    ours = freeze(build_network(TorchvisionConfig("squeezenet1_1"), classes=5))
    plain = torchvision.models.squeezenet1_1(weights=None, num_classes=5)
    plain.load_state_dict({name.removeprefix("network."): tensor for name, tensor in ours.state_dict().items()})
    images = torch.rand(2, 3, 64, 64)
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (IMAGENET_MEAN, IMAGENET_STD))
    assert torch.equal(ours(images), freeze(plain)((images - mean) / std))


def test_a_grey_image_is_seen_as_three_equal_channels() -> None:
    network = freeze(build_network(TorchvisionConfig("squeezenet1_1"), classes=2))
    grey = torch.rand(1, 1, 64, 64)
    assert torch.equal(network(grey), network(grey.expand(1, 3, 64, 64)))


def test_detectors_and_segmenters_are_not_offered() -> None:
    assert "resnet50" in torchvision_names()
    assert not {"fasterrcnn_resnet50_fpn", "fcn_resnet50", "raft_small"} & set(torchvision_names())


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match=r"no classifier 'resnet51'.*resnet50"):
        build_network(TorchvisionConfig("resnet51"), classes=2)


@pytest.mark.parametrize("name", ["googlenet", pytest.param("inception_v3", marks=pytest.mark.slow)])
def test_networks_with_auxiliary_heads_give_plain_logits(name: str) -> None:
    network = freeze(build_network(TorchvisionConfig(name), classes=2))
    assert network(torch.rand(1, 3, 96, 96)).shape == (1, 2)
