"""Grad-CAM where it can be worked out, and on one network from two threads at once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torchvision  # type: ignore[import-untyped]  # it ships no types
from torch import Tensor, nn
from torch.nn import functional

from app.comparison.attribution import GradCamOptions
from app.comparison.grad_cam import grad_cam
from app.errors import OptionError
from app.networks.resnet import ResNet, ResNetConfig, freeze
from tests.networks.small import CONFIG, images, small_network

TARGET = torch.tensor([0, 2])


def class_activation_map(network: ResNet, shown: Tensor, target: Tensor) -> Tensor:
    """Zhou et al. 2016: where a mean over places and one linear layer follow, Grad-CAM is this over the places."""
    features = network.act(network.norm(network.blocks(network.stem(network.normalize(shown)))))
    places = features.shape[2:].numel()
    maps = torch.einsum("bk,bkhw->bhw", network.classifier.weight[target], features)[:, None] / places
    return functional.interpolate(maps, tuple(shown.shape[2:]), mode="bilinear")


def signed_network(config: ResNetConfig = CONFIG) -> ResNet:
    """With weights for and against each class, where `small_network` has weights above zero only."""
    network = small_network(config)
    torch.manual_seed(1)
    nn.init.normal_(network.classifier.weight)
    return network


def test_on_our_resnet_it_is_the_class_activation_map_with_its_sign() -> None:
    network = signed_network()
    found = grad_cam(network, images(network), TARGET)
    assert found.map.shape == (2, 1, 8, 10)
    torch.testing.assert_close(found.map, class_activation_map(network, images(network), TARGET))
    assert found.map.min() < 0


def test_on_a_torchvision_resnet_it_is_the_class_activation_map_of_its_last_stage() -> None:
    torch.manual_seed(0)
    network = freeze(torchvision.models.resnet18(weights=None, num_classes=3))
    shown, kept = torch.rand(2, 3, 64, 64), []
    network.get_submodule("layer4").register_forward_hook(lambda module, given, made: kept.append(made))
    network(shown)
    weight = network.state_dict()["fc.weight"][TARGET]
    maps = torch.einsum("bk,bkhw->bhw", weight, kept[0])[:, None] / kept[0].shape[2:].numel()
    expected = functional.interpolate(maps, (64, 64), mode="bilinear")
    torch.testing.assert_close(grad_cam(network, shown, TARGET).map, expected)


def test_an_earlier_layer_may_be_named() -> None:
    network = signed_network()
    named = grad_cam(network, images(network), TARGET, GradCamOptions(layer="blocks.0")).map
    assert not torch.equal(named, grad_cam(network, images(network), TARGET).map)


def test_the_network_keeps_no_hook_and_no_gradient() -> None:
    network = signed_network()
    grad_cam(network, images(network), TARGET)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert all(weight.grad is None and not weight.requires_grad for weight in network.parameters())


class Meet(nn.Module):
    """Waits, in each forward pass, until another thread is there as well; copies are modules of their own."""

    def __init__(self, barrier: threading.Barrier) -> None:
        super().__init__()
        self.barrier = barrier

    def forward(self, x: Tensor) -> Tensor:
        self.barrier.wait()
        return x

    def __deepcopy__(self, memo: dict[int, object]) -> "Meet":
        return Meet(self.barrier)  # a lock cannot be copied; the module must be, or its hooks would be shared


def test_two_threads_on_one_network_each_get_their_own_map() -> None:
    network = signed_network()
    shown = images(network)
    expected = class_activation_map(network, shown, TARGET)
    barrier = threading.Barrier(2, timeout=60)
    network.stem = nn.Sequential(Meet(barrier), network.stem)  # type: ignore[assignment]  # both have set their hooks
    network.classifier = nn.Sequential(Meet(barrier), network.classifier)  # type: ignore[assignment]  # both ran them

    def explain(row: int) -> Tensor:
        return grad_cam(network, shown[row : row + 1], TARGET[row : row + 1]).map

    with ThreadPoolExecutor(2) as threads:
        found = torch.cat(list(threads.map(explain, (0, 1))))
    torch.testing.assert_close(found, expected)


def test_a_network_without_feature_map_is_refused() -> None:
    network = freeze(nn.Sequential(nn.Flatten(), nn.Linear(12, 2)))
    with pytest.raises(OptionError, match="this network has none; choose another method"):
        grad_cam(network, torch.rand(1, 3, 2, 2), torch.tensor([0]))


def test_a_layer_that_is_not_there_is_refused() -> None:
    network = signed_network()
    with pytest.raises(OptionError, match="layer 'layer4' is no submodule"):
        grad_cam(network, images(network), TARGET, GradCamOptions(layer="layer4"))
