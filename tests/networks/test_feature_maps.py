"""Where the last feature map is, in networks whose layers are known, and shells around shared weights."""

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
import torchvision  # type: ignore[import-untyped]  # it ships no types
from safetensors.torch import save_file
from torch import nn

from app.networks.build import TorchvisionConfig, build_network
from app.networks.feature_maps import last_feature_map, shell_of, without_last_layer
from app.networks.importing import ImportOptions, import_network
from app.networks.resnet import freeze
from tests.networks.small import CLASSES, authors_tensors, images, small_network


def test_of_our_resnet_it_is_what_the_last_activation_makes() -> None:
    network = small_network()
    assert last_feature_map(network, images(network, 1)) == "act"


def test_of_the_authors_network_too(tmp_path: Path) -> None:
    network = small_network()
    save_file(authors_tensors(network), tmp_path / "authors.safetensors")
    imported = import_network(tmp_path / "authors.safetensors", ImportOptions(classes=CLASSES)).network
    assert last_feature_map(imported, images(network, 1)) == "act"


@pytest.mark.parametrize(
    ("name", "side", "layer"),
    [
        ("resnet18", 64, "network.layer4"),
        ("resnet18", 32, "network.layer3"),  # layer4 makes a single place
        ("densenet121", 64, "network.features"),
        ("mobilenet_v3_small", 64, "network.features"),
    ],
)
def test_of_torchvision_networks_it_is_the_last_stage_of_more_than_one_place(name: str, side: int, layer: str) -> None:
    network = freeze(build_network(TorchvisionConfig(name), classes=2))
    assert last_feature_map(network, torch.full((1, 3, side, side), 0.5)) == layer


def test_a_vision_transformer_has_none() -> None:
    network = torchvision.models.VisionTransformer(16, 8, 1, 2, 8, 8)
    assert last_feature_map(freeze(network), torch.full((1, 3, 16, 16), 0.5)) is None


def test_neither_has_a_network_without_maps() -> None:
    network = nn.Sequential(OrderedDict(flat=nn.Flatten(), classifier=nn.Linear(12, 2)))
    assert last_feature_map(freeze(network), torch.full((1, 3, 2, 2), 0.5)) is None


def test_a_shell_computes_the_same_with_the_same_memory() -> None:
    network = small_network()
    shell = shell_of(network)
    assert torch.equal(shell(images(network)), network(images(network)))
    assert [tensor.data_ptr() for tensor in shell.parameters()] == [t.data_ptr() for t in network.parameters()]
    assert [tensor.data_ptr() for tensor in shell.buffers()] == [t.data_ptr() for t in network.buffers()]


def test_a_hook_on_a_shell_is_none_of_the_networks() -> None:
    network, called = small_network(), []
    shell = shell_of(network)
    shell.get_submodule("act").register_forward_hook(lambda *_: called.append("shell"))
    network(images(network))
    assert called == []


def test_without_its_last_layer_a_network_gives_what_that_layer_reads() -> None:
    network = small_network()
    read = without_last_layer(network)(images(network))
    assert torch.equal(network.classifier(read), network(images(network)))


def test_the_network_itself_keeps_its_last_layer() -> None:
    network = small_network()
    before = network(images(network))
    without_last_layer(network)
    assert torch.equal(network(images(network)), before)
