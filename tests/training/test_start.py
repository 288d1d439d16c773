"""Fine-tuning starts from real files: model folders, torchvision's state dicts, the authors' networks."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from app.errors import CheckpointError
from app.networks.build import TorchvisionConfig, build_network
from app.networks.checkpoint import save_checkpoint
from app.networks.resnet import ResNet, ResNetConfig
from app.training.start import Start, begin_from, deepened, read_start
from app.training.train import train
from tests.networks.small import CONFIG, authors_tensors, small_description, small_network
from tests.training.toy import NETWORK, RECIPE, toy_data

SQUEEZENET = TorchvisionConfig("squeezenet1_1")


def same(first: nn.Module, second: nn.Module) -> bool:
    """Whether the two hold the same numbers."""
    other = second.state_dict()
    return all(torch.equal(values, other[name]) for name, values in first.state_dict().items())


def same_but(head: str, first: nn.Module, second: nn.Module) -> bool:
    """Whether the two hold the same numbers everywhere but in one layer, and others there."""
    one, two = first.state_dict(), second.state_dict()
    equal = {name: torch.equal(values, two[name]) for name, values in one.items() if values.shape == two[name].shape}
    elsewhere = [same for name, same in equal.items() if not name.startswith(head)]
    return all(elsewhere) and len(elsewhere) > 4 and not all(equal.get(name, False) for name in one if head in name)


def test_a_model_folder_gives_its_architecture_and_weights(tmp_path: Path) -> None:
    saved = small_network()
    save_checkpoint(tmp_path / "small", saved, small_description())
    start = read_start(tmp_path / "small", NETWORK)
    assert start.architecture == CONFIG
    network = build_network(CONFIG, CONFIG.classes)
    begin_from(network, start)
    assert same(network, saved)


def test_the_authors_networks_say_their_architecture(tmp_path: Path) -> None:
    theirs = small_network()
    torch.save(authors_tensors(theirs), tmp_path / "theirs.pt")
    start = read_start(tmp_path / "theirs.pt", SQUEEZENET)
    assert isinstance(start.architecture, ResNetConfig)
    network = build_network(start.architecture, CONFIG.classes)
    begin_from(network, start)
    assert same(network, theirs)


def test_torchvisions_state_dict_gets_a_new_head_for_other_classes(tmp_path: Path) -> None:
    theirs = build_network(SQUEEZENET, 7)
    inner = theirs.get_submodule("network")
    torch.save(inner.state_dict(), tmp_path / "theirs.pth")
    ours = build_network(SQUEEZENET, 3)
    begin_from(ours, read_start(tmp_path / "theirs.pth", SQUEEZENET))
    assert same_but("network.classifier.1", ours, theirs)


def test_the_same_classes_keep_the_head(tmp_path: Path) -> None:
    theirs = build_network(SQUEEZENET, 3)
    torch.save(theirs.get_submodule("network").state_dict(), tmp_path / "theirs.pth")
    ours = build_network(SQUEEZENET, 3)
    begin_from(ours, read_start(tmp_path / "theirs.pth", SQUEEZENET))
    assert same(ours, theirs)


def test_training_begins_there(tmp_path: Path) -> None:
    torch.manual_seed(5)
    taught = ResNet(NETWORK)
    start = Start(tmp_path, NETWORK, taught.state_dict())
    still = replace(RECIPE, epochs=1 / 12, learning_rate=1e-9, muon=None, average_decay=0.0)
    after = train(still, toy_data(), tmp_path, start=start).network
    for before, now in zip(taught.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(before, now, rtol=0, atol=1e-6)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save(build_network(SQUEEZENET, 3).get_submodule("network").state_dict(), tmp_path / "theirs.pth")
    start = read_start(tmp_path / "theirs.pth", SQUEEZENET)
    with pytest.raises(CheckpointError, match="does not fit its network: it lacks"):
        begin_from(build_network(TorchvisionConfig("resnet18"), 3), start)


def test_a_state_dict_needs_the_name_of_its_architecture(tmp_path: Path) -> None:
    torch.save(ResNet(NETWORK).state_dict(), tmp_path / "ours.pt")
    with pytest.raises(CheckpointError, match="name its --arch"):
        read_start(tmp_path / "ours.pt", NETWORK)


def test_a_deepened_network_computes_what_the_shallower_one_did(tmp_path: Path) -> None:
    saved = small_network()
    save_checkpoint(tmp_path / "small", saved, small_description())
    start = deepened(read_start(tmp_path / "small", NETWORK), (3, 4))
    assert start.architecture == replace(CONFIG, blocks=(3, 4))
    network = build_network(start.architecture, CONFIG.classes).eval()
    begin_from(network, start)
    images = torch.rand(3, CONFIG.channels, 16, 16, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(images), saved.eval()(images))


@pytest.mark.parametrize("blocks", [(3,), (0, 2), (1, 1), (1, 2, 2)])
def test_a_network_is_not_made_shallower(tmp_path: Path, blocks: tuple[int, ...]) -> None:
    save_checkpoint(tmp_path / "small", small_network(), small_description())
    with pytest.raises(CheckpointError, match="has 1,2 blocks in its groups: give as many groups, of no fewer"):
        deepened(read_start(tmp_path / "small", NETWORK), blocks)
