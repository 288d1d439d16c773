"""Both margins of an image, where they are known and how they stand to each other."""

from dataclasses import replace

import pytest
import torch

from app.adversarial.nearest import nearest_flip
from app.adversarial.robustness import EVALUATIONS, robustness
from app.engine.steps.eager import eager
from tests.adversarial.attacks.linear import mid_grey_beside_plane
from tests.adversarial.compare_nearest import Counted
from tests.adversarial.tiny import random_convnet, random_images


def test_of_two_classes_both_are_the_distance_of_the_plane() -> None:
    network, image, label = mid_grey_beside_plane(0.5)
    found = robustness(network, image, label)
    assert float(found.flip.perturbation_l2) == pytest.approx(0.5, rel=1e-3)
    assert torch.equal(found.chance.images, found.flip.images)


def test_a_class_at_chance_was_lost_at_a_smaller_change_or_the_same() -> None:
    network, images = random_convnet(1), random_images(2, 24)
    label = network(images).argmax(1)
    found = robustness(network, images, label)
    alone = nearest_flip(network, images, label)
    assert bool((found.flip.perturbation_l2 <= alone.perturbation_l2).all())
    both = found.flip.goal_met & found.chance.goal_met
    assert int(both.sum()) > 12
    assert bool((found.flip.perturbation_l2 <= found.chance.perturbation_l2)[both].all())


def test_it_takes_no_more_evaluations_than_it_says() -> None:
    network, images = random_convnet(1), random_images(2, 1)
    counted, before = Counted(eager(network), classes=4), Counted.evaluations
    robustness(counted, images, network(images).argmax(1))
    assert 0 < Counted.evaluations - before <= EVALUATIONS


def test_a_chance_that_flips_and_is_nearer_is_the_flip(monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = random_convnet(1), random_images(2, 4)
    label = network(images).argmax(1)
    found = nearest_flip(network, images, label)
    nothing = torch.full_like(found.perturbation_l2, torch.inf)
    unlucky = replace(found, images=images, perturbation_rms=nothing, perturbation_l2=nothing)
    unlucky = replace(unlucky, logits=network(images), goal_met=torch.zeros_like(found.goal_met))
    monkeypatch.setattr("app.adversarial.robustness.nearest_flip", lambda *_, **__: unlucky)
    rescued = robustness(network, images, label)
    assert torch.equal(rescued.flip.goal_met, rescued.chance.goal_met & (rescued.chance.logits.argmax(1) != label))
    assert rescued.flip.goal_met.any()
