"""Making layers random, and that maps follow."""

import pytest
import torch
from torch import nn

from app.networks.resnet import ResNet, freeze
from app.training.measures.sanity import Sanity, sanity, with_random_layers
from app.training.measures.shuffled import learn_by_heart
from tests.networks.small import CONFIG, images, small_network

LABEL = torch.tensor([0, 1, 2, 0])
LAYERS = ["classifier", "blocks.2.conv2"]


@pytest.fixture(scope="module")
def found() -> Sanity:
    torch.manual_seed(0)
    network = ResNet(CONFIG)
    for weights in network.parameters():
        nn.init.normal_(weights, std=0.3)
    return sanity(freeze(network), images(network, 4), LABEL, rho=0.1, seed=0)


def test_only_the_layers_named_are_random_and_as_large_as_they_were() -> None:
    network = small_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    damaged = with_random_layers(network, LAYERS, seed=0).state_dict()
    changed = {name.rpartition(".")[0] for name in before if not torch.equal(before[name], damaged[name])}
    assert changed == set(LAYERS)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    theirs, ours = damaged["blocks.2.conv2.weight"], before["blocks.2.conv2.weight"]
    assert float(theirs.square().mean()) == pytest.approx(float(ours.square().mean()), rel=0.1)
    assert float(theirs.mean()) == pytest.approx(0, abs=0.1)


def test_it_looks_from_the_last_layer_alone_to_all_of_them(found: Sanity) -> None:
    convolutions = [module for module in small_network().modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    assert found.layers == len(convolutions)
    assert (found.random_layers[0], found.random_layers[-1]) == (1, found.layers)
    assert list(found.random_layers) == sorted(found.random_layers)


def test_maps_of_the_network_are_compared_with_those_of_a_random_one(found: Sanity) -> None:
    assert set(found.rank_correlation) == {
        "adversarial", "gradient", "integrated_gradients", "smoothgrad", "gradcam", "occlusion",
    }  # fmt: skip
    assert {name: left[-1] for name, left in found.rank_correlation.items() if abs(left[-1]) > 0.6} == {}


def test_a_method_that_asks_the_network_nothing_does_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the check is for: an edge detector passes for an explanation until one looks at this."""
    from app.comparison.attribution import Attribution, Cost  # noqa: PLC0415 - only here
    from app.training.measures import sanity as room  # noqa: PLC0415 - to change what it has

    edges = {
        "edges": lambda network, pictures, target: Attribution(pictures.diff(dim=3, append=pictures[..., :1]), Cost())
    }
    monkeypatch.setattr(room, "METHODS", edges)
    network = small_network()
    found = sanity(network, images(network, 2), LABEL[:2], rho=0.1, seed=0)
    assert found.rank_correlation["edges"] == pytest.approx([1.0] * 5)
    assert found.shuffled_labels["edges"] == pytest.approx(1.0)


def test_a_row_is_a_method_and_a_column_so_many_random_layers(found: Sanity) -> None:
    row = found.as_scores()[0]
    assert list(row)[:3] == ["rank_correlation", "images", f"1 of {found.layers} layers random"]
    assert row["rank_correlation"] == "adversarial"
    assert row[f"labels shuffled ({found.learned_share:.0%} learned)"] == found.shuffled_labels["adversarial"]


def test_shuffled_labels_are_learned_by_heart_and_the_network_stays_as_it_is() -> None:
    network = small_network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    shown = torch.rand(6, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    told: list[float] = []
    label = torch.tensor([0, 1, 2, 0, 1, 2])
    learned = learn_by_heart(network, shown, label, seed=3, tell=told.append)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(3))
    given = learned.network(shown).argmax(1)
    assert learned.share == told[-1] == float((given == label[order]).double().mean())
    assert learned.share > 0.9
    assert not any(weights.requires_grad for weights in learned.network.parameters())
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
