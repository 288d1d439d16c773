"""The eager step is the loop's own differentiation."""

import pytest
import torch
from torch import nn

from app.adversarial.aims import Aims
from app.adversarial.drives import Drive, cross_entropy, margin
from app.adversarial.explain import explain, paper_rows
from app.adversarial.loop import logits_and_gradient
from app.adversarial.minimal import minimal_attack
from app.engine.steps.eager import EagerStep, eager
from app.engine.steps.protocol import StepNetwork
from tests.adversarial.tiny import random_convnet, random_images

LABEL = torch.tensor([0, 3, 1])


@pytest.mark.parametrize("chosen", [cross_entropy, margin])
def test_gradient_equals_the_loops_to_the_last_bit(chosen: Drive) -> None:
    network, images = random_convnet(0), random_images(0, 3)
    logits, gradient = eager(network).logits_and_gradient(images, Aims.of_drive(chosen, LABEL, classes=4))
    expected_logits, expected = logits_and_gradient(network, images, LABEL, chosen)
    assert torch.equal(logits, expected_logits)
    assert torch.equal(gradient, expected)


def test_logits_are_the_networks_without_gradient() -> None:
    network, images = random_convnet(0), random_images(0, 3)
    logits = eager(network).logits(images.requires_grad_())
    assert torch.equal(logits, network(images))
    assert not logits.requires_grad


def test_channels_last_gives_the_same_and_leaves_the_network_as_it_was() -> None:
    network, images = random_convnet(0), random_images(0, 3)
    assert isinstance(network, nn.Sequential)
    first = network[0]
    assert isinstance(first, nn.Conv2d)
    strides = first.weight.stride()
    aims = Aims.alike(LABEL, margin=False, classes=4)
    logits, gradient = EagerStep(network, channels_last=True).logits_and_gradient(images, aims)
    expected_logits, expected = eager(network).logits_and_gradient(images, aims)
    torch.testing.assert_close(logits, expected_logits)
    torch.testing.assert_close(gradient, expected)
    assert first.weight.stride() == strides
    assert gradient.is_contiguous()


def test_a_step_explains_in_place_of_its_network() -> None:
    network, images = random_convnet(1), random_images(1, 3)
    rows = paper_rows(LABEL, direction="encourage", steps=5)
    by_step = explain(StepNetwork(eager(network), classes=4), images, rows)
    assert torch.equal(by_step.perturbation, explain(network, images, rows).perturbation)


def test_a_step_attacks_in_place_of_its_network() -> None:
    network, images = random_convnet(1), random_images(1, 3)
    label = network(images).argmax(1)
    by_step = minimal_attack(StepNetwork(eager(network), classes=4), images, label, drive=margin, steps=9)
    assert torch.equal(by_step.perturbation, minimal_attack(network, images, label, drive=margin, steps=9).perturbation)
