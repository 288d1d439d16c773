"""One step against the same step written out plainly: parts, class weights, bfloat16, other networks."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.networks.build import TorchvisionConfig, build_network
from app.networks.resnet import ResNet
from app.training.learner import Learner, in_bfloat16
from app.training.losses import lipschitz_penalty
from app.training.recipe import Lipschitz, Recipe
from tests.training.toy import NETWORK, RECIPE, toy_images

PLAIN = replace(
    RECIPE, muon=None, attack=None, lipschitz=None, average_decay=0.0, momentum=0.0, weight_decay=0.0, batch_size=16
)
WEIGHTS = torch.tensor([0.5, 2.0])


def learner(recipe: Recipe, **options: Tensor) -> Learner:
    return Learner(recipe, 2, device=torch.device("cpu"), **options)  # type: ignore[arg-type]  # class_weights alone


def a_step(recipe: Recipe, **options: Tensor) -> dict[str, Tensor]:
    """The weights after one step at rate 1."""
    images = toy_images(16)
    one = learner(recipe, **options)
    one.step(images.images, images.labels, step=0, rate=1.0, random=torch.Generator().manual_seed(3))
    return {name: parameter.detach() for name, parameter in one.network.named_parameters()}


def plain_step(parts: int, weights: Tensor | None) -> dict[str, Tensor]:
    """The same by hand: every parts-th row at a time, the weighted mean over the whole batch, one gradient step."""
    torch.manual_seed(PLAIN.seed)
    network = ResNet(NETWORK)
    images = toy_images(16)
    x, label = images.floats(slice(None)), images.labels
    of_image = torch.ones(16) if weights is None else weights[label]
    total = torch.zeros(())
    for part in range(parts):
        each = functional.cross_entropy(network(x[part::parts]), label[part::parts], reduction="none")
        total = total + (each * of_image[part::parts]).sum() / of_image.sum()
    total.backward()  # type: ignore[no-untyped-call]
    moved = {}
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        moved[name] = parameter.detach() - parameter.grad
    return moved


@pytest.mark.parametrize("parts", [1, 4])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_parts_and_class_weights_give_the_mean_over_the_batch(parts: int, weights: Tensor | None) -> None:
    options = {} if weights is None else {"class_weights": weights}
    ours = a_step(replace(PLAIN, accumulate=parts), **options)
    theirs = plain_step(parts, weights)
    for name, values in ours.items():
        torch.testing.assert_close(values, theirs[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("batch_share", [0.5, 1.0])
def test_reported_numbers_are_of_the_whole_batch(batch_share: float) -> None:
    recipe = replace(PLAIN, accumulate=2, lipschitz=Lipschitz(psi_start=3.0, batch_share=batch_share))
    images = toy_images(16)
    one = learner(recipe)
    found = one.step(images.images, images.labels, step=0, rate=0.1, random=torch.Generator().manual_seed(3))
    assert found.psi == 3.0
    assert found.penalty > 0
    assert found.accuracy * 16 == int(found.accuracy * 16)
    assert one.pressure > 0  # the loss is below the target


def test_torchvisions_networks_learn_too() -> None:
    recipe = replace(PLAIN, network=TorchvisionConfig("resnet18"), batch_size=4)
    images = toy_images(4)
    one = learner(recipe)
    before = [parameter.detach().clone() for parameter in one.network.parameters()]
    colour = images.images.repeat(1, 3, 4, 4)
    one.step(colour, images.labels, step=0, rate=0.1, random=torch.Generator().manual_seed(3))
    after = list(one.network.parameters())
    assert all(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


def test_bfloat16_passes_are_near_and_differentiable_twice() -> None:
    torch.manual_seed(0)
    network = build_network(NETWORK, 2).eval()
    images = toy_images(8).floats(slice(None)).requires_grad_()
    zeros = torch.zeros(8, dtype=torch.int64)
    slopes = []
    for passes in (network, in_bfloat16(network)):
        logits = passes(images)
        assert logits.dtype == torch.float32
        penalty = lipschitz_penalty(logits, images, zeros, zeros.bool(), zeros)
        network.zero_grad()
        penalty.backward()  # type: ignore[no-untyped-call]
        weight = next(module.weight for module in network.modules() if isinstance(module, nn.Linear))
        assert weight.grad is not None
        slopes.append((logits.detach(), weight.grad.clone()))
    torch.testing.assert_close(slopes[0][0], slopes[1][0], rtol=0.05, atol=0.05)
    torch.testing.assert_close(slopes[0][1], slopes[1][1], rtol=0.1, atol=0.1 * float(slopes[0][1].abs().max()))
