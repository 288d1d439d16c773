"""The paper authors' networks: their logits, where their files are at hand, and their layout on a small one."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from app.errors import CheckpointError
from app.networks.authors import are_authors_tensors, from_authors
from app.networks.importing import ImportedNetwork
from app.networks.resnet import ResNet, ResNetConfig
from tests.networks.small import CONFIG, authors_tensors, images, small_network

FILE = Path("theirs.pt")


@pytest.mark.parametrize("name", ["resnet44-all", "resnet44-standard"])
def test_logits_equal_the_authors_own(
    reference_dir: Path, authors_network: Callable[[str], ImportedNetwork], name: str
) -> None:
    with np.load(reference_dir / f"{name}.npz") as theirs:
        image, logits = torch.from_numpy(theirs["image"]), torch.from_numpy(theirs["logits"])
    with torch.no_grad():
        ours = authors_network(name).network(image.permute(0, 3, 1, 2).float() / 255)
    assert (ours - logits).abs().max() <= 1e-4


@pytest.mark.parametrize(("name", "activation"), [("resnet44-all", "half_huber"), ("resnet44-standard", "relu")])
def test_the_papers_config_is_read_from_the_tensors(
    authors_network: Callable[[str], ImportedNetwork], name: str, activation: str
) -> None:
    description = authors_network(name).description
    assert description.architecture == ResNetConfig(classes=10, activation=activation)
    assert (description.input.height, description.input.width, description.input.fit) == (32, 32, "stretch")
    assert description.classes[3] == "cat"


@pytest.mark.parametrize("activation", ["half_huber", "relu"])
def test_a_small_network_under_their_names_gives_the_same_logits(activation: str) -> None:
    network = small_network(ResNetConfig(classes=3, widths=(4, 8), blocks=(1, 2), activation=activation))
    theirs = authors_tensors(network)
    config, state = from_authors(theirs, FILE)
    assert are_authors_tensors(theirs)
    assert config == network.config
    again = ResNet(config).eval()
    again.load_state_dict(state)
    assert torch.equal(again(images(network)), network(images(network)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda theirs: theirs.pop("pipe.6.weight"), "must have a tensor pipe.6.weight of 4 dimensions"),
        (lambda theirs: theirs.pop("pipe.2.0.main.0.weight"), "must have a tensor pipe.2.0.main.0.weight"),
        (lambda theirs: theirs.update({"pipe.6.weight": torch.zeros(3, 8)}), "pipe.6.weight of 4 dimensions"),
        (lambda theirs: theirs.update({"pipe.2.9.pre.0.bias": torch.zeros(8)}), "without gaps"),
        (lambda theirs: theirs.update({"pipe.9.bias": torch.zeros(8)}), "has a tensor 'pipe.9.bias'"),
        (lambda theirs: theirs.update({"pipe.1.0.main.7.weight": torch.zeros(8)}), "has a tensor 'pipe.1.0.main.7"),
        (lambda theirs: theirs.update({"pipe.4.d": torch.tensor(0.25)}), r"a tensor d of 0.5\) everywhere or nowhere"),
        (lambda theirs: theirs.pop("pipe.4.d"), "7 or none, not 6"),
        (lambda theirs: theirs.update({"input_offset": torch.zeros(2, 3)}), "positive deviation of 3 channels"),
        (lambda theirs: theirs.update({"input_offset": torch.ones(2, 1)}), "of 3 channels"),
    ],
)
def test_tensors_laid_out_otherwise_are_refused(change: Callable[[dict[str, Tensor]], object], said: str) -> None:
    theirs = authors_tensors(small_network(CONFIG))
    change(theirs)
    with pytest.raises(CheckpointError, match=said):
        from_authors(theirs, FILE)
