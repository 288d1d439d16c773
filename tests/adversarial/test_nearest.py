"""Nearest images that meet a goal, on networks whose boundaries are known, and beside another implementation."""

import math

import pytest
import torch
from torch import Tensor

from app.adversarial.loop import Network
from app.adversarial.minimal import minimal_attack
from app.adversarial.nearest import Nearest, nearest_chance, nearest_flip, nearest_of_class
from app.adversarial.sizes import l2, rms
from tests.adversarial.attacks.linear import Linear, mid_grey_beside_plane
from tests.adversarial.compare_nearest import ddn
from tests.adversarial.tiny import breaks_beyond, random_convnet, random_images, two_pixel_image, two_pixel_network

CLOSE = 1e-3  # relative; walks end .05% beyond the surface


def outside_of(center: Tensor, radius: float) -> Network:
    """Logits (0, distance from the center, squared, less that of a sphere)."""

    def network(images: Tensor) -> Tensor:
        beyond = (images - center).flatten(1).square().sum(1) - radius**2
        return torch.stack([torch.zeros_like(beyond), beyond], 1)

    return network


def three_classes(images: Tensor) -> Tensor:
    """Two pixels: class 0, class 1 where the left is above .7, class 2 where the right is above .9 and more so."""
    left, right = images[:, 0, 0, 0], images[:, 0, 0, 1]
    return torch.stack([torch.zeros_like(left), left - 0.7, 4 * (right - 0.9)], 1)


def point(left: float, right: float) -> Tensor:
    return torch.tensor([[[[left, right]]]], dtype=torch.float64)


def test_the_distance_of_a_plane() -> None:
    network, image, label = mid_grey_beside_plane(0.5)
    found = nearest_flip(network, image, label)
    assert float(found.perturbation_l2) == pytest.approx(0.5, rel=CLOSE)
    assert float(found.perturbation_rms) == pytest.approx(0.5 / 8, rel=CLOSE)


def test_a_plane_beyond_the_end_of_a_pixel() -> None:
    # From (.8, .2) to left + right = 1.7, and left stops at 1: (.2, .5).
    network = Linear(torch.ones(1, 1, 2, dtype=torch.float64), 1.7)
    found = nearest_flip(network, point(0.8, 0.2), torch.tensor([0]))
    assert float(found.perturbation_l2) == pytest.approx(math.hypot(0.2, 0.5), rel=CLOSE)
    assert found.images.flatten().tolist() == pytest.approx([1.0, 0.7], abs=1e-3)


@pytest.mark.parametrize(("from_center", "expected"), [(0.1, 0.3), (0.3, 0.1), (0.6, 0.2)])
def test_the_distance_of_a_sphere_from_within_and_from_without(from_center: float, expected: float) -> None:
    center = torch.full((1, 4, 4), 0.5, dtype=torch.float64)
    away = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    image = (center + away * (from_center / away.norm()))[None]
    network = outside_of(center, 0.4)
    found = nearest_flip(network, image, network(image).argmax(1))
    assert float(found.perturbation_l2) == pytest.approx(expected, rel=5 * CLOSE)


def test_the_nearest_of_several_classes_is_found_and_the_one_that_is_named() -> None:
    image, label = point(0.5, 0.8), torch.tensor([0])
    found = nearest_flip(three_classes, image, label)
    assert found.logits.argmax(1).tolist() == [2]
    assert float(found.perturbation_l2) == pytest.approx(0.1, rel=CLOSE)
    named = nearest_of_class(three_classes, image, torch.tensor([1]))
    assert named.logits.argmax(1).tolist() == [1]
    assert float(named.perturbation_l2) == pytest.approx(0.2, rel=CLOSE)


def test_a_named_class_behind_another_is_met_at_the_edge_where_it_leads_both() -> None:
    # From (.5, .95), class 2: class 1 leads where left - .7 is above both 0 and 4 (right - .9). The nearest such point
    # is the corner of the two, (.7, .9): along the second alone it would be (.538, .860), of class 0.
    found = nearest_of_class(three_classes, point(0.5, 0.95), torch.tensor([1]))
    assert found.logits.argmax(1).tolist() == [1]
    assert float(found.perturbation_l2) == pytest.approx(math.hypot(0.2, 0.05), rel=5 * CLOSE)


def test_to_chance_where_a_third_of_the_probability_is_left() -> None:
    # Logits (0, u, u): the first class has a third where u = 0, 0.3 away.
    def network(images: Tensor) -> Tensor:
        lead = images[:, 0, 0, 0] - 0.8
        return torch.stack([torch.zeros_like(lead), lead, lead], 1)

    found = nearest_chance(network, point(0.5, 0.5), torch.tensor([0]))
    assert float(found.perturbation_l2) == pytest.approx(0.3, rel=CLOSE)
    assert float(found.logits.softmax(1)[0, 0]) <= 1 / 3


def test_of_two_classes_chance_is_the_flip() -> None:
    network, image, label = mid_grey_beside_plane(0.5)
    assert float(nearest_chance(network, image, label).perturbation_l2) == pytest.approx(0.5, rel=CLOSE)


def test_what_never_flips_is_called_infinite() -> None:
    network = Linear(torch.ones(1, 1, 2, dtype=torch.float64), 2.1)  # no two pixels of [0, 1] come to more than 2
    image = point(0.8, 0.2)
    found = nearest_flip(network, image, torch.tensor([0]), restarts=1, random=torch.Generator())
    assert found.perturbation_l2.tolist() == found.perturbation_rms.tolist() == [math.inf]
    assert not found.goal_met.any()
    assert torch.equal(found.images, image)
    assert float(found.largest_rms_tried) == pytest.approx(math.sqrt((0.2**2 + 0.8**2) / 2), rel=1e-6)


def test_what_is_misread_as_it_is_needs_nothing() -> None:
    found = nearest_flip(two_pixel_network, two_pixel_image(0.5), torch.tensor([0]))
    assert found.perturbation_l2.tolist() == [0.0]
    assert found.goal_met.all()


@pytest.mark.parametrize("kind", ["nan", "inf", "gradient"])
def test_a_network_that_breaks_has_not_lost_the_class(kind: str) -> None:
    found = nearest_flip(breaks_beyond(-0.2, kind=kind), two_pixel_image(-0.5), torch.tensor([0]))
    assert not found.goal_met.any()
    assert found.perturbation_l2.tolist() == [math.inf]


def test_the_images_are_what_is_said_of_them() -> None:
    network, images = random_convnet(3), random_images(4, 24)
    label = network(images).argmax(1)
    for goal in (nearest_flip, nearest_chance):
        found = goal(network, images, label)
        assert found.goal_met.any()
        met = found.goal_met
        assert float(found.images.min()) >= 0
        assert float(found.images.max()) <= 1
        torch.testing.assert_close(found.logits, network(found.images))
        torch.testing.assert_close(found.perturbation_l2[met], l2(found.images - images)[met])
        torch.testing.assert_close(found.perturbation_rms[met], rms(found.images - images)[met])
        read = found.logits.argmax(1) != label if goal is nearest_flip else _chance(found, label)
        assert torch.equal(read, met)


def test_no_minimal_attack_that_keeps_to_pixels_is_smaller() -> None:
    network, images = random_convnet(5), random_images(6, 24)
    label = network(images).argmax(1)
    attacked = (images + minimal_attack(network, images, label, steps=200, eps=4.0).perturbation).clamp(0, 1)
    size = torch.where(network(attacked).argmax(1) != label, l2(attacked - images), torch.inf)
    found = nearest_flip(network, images, label)
    assert bool((found.perturbation_l2 <= 1.001 * size).all())
    assert int(size.isfinite().sum()) > 12


def test_an_image_does_not_depend_on_its_neighbours() -> None:
    network, images = random_convnet(7), random_images(8, 3)
    label = network(images).argmax(1)
    together = nearest_flip(network, images, label)
    for row in range(3):
        alone = nearest_flip(network, images[row : row + 1], label[row : row + 1])
        torch.testing.assert_close(alone.images[0], together.images[row], rtol=1e-6, atol=1e-6)


def test_the_same_seed_finds_the_same_and_restarts_never_more() -> None:
    network, images = random_convnet(9), random_images(10, 3)
    label = network(images).argmax(1)
    first, again = (
        nearest_flip(network, images, label, restarts=1, random=torch.Generator().manual_seed(1)) for _ in range(2)
    )
    assert torch.equal(first.images, again.images)
    assert bool((first.perturbation_l2 <= nearest_flip(network, images, label).perturbation_l2).all())


def test_as_small_as_foolbox_finds() -> None:
    network, images = random_convnet(11, channels=3).float(), random_images(12, 40, channels=3).float()
    label = network(images).argmax(1)
    theirs = ddn(network, images, label, 150)
    misread = network(theirs).argmax(1) != label
    ours = nearest_flip(network, images, label).perturbation_l2[misread]
    assert int(misread.sum()) > 20
    assert float((ours <= 1.05 * l2(theirs - images)[misread]).float().mean()) >= 0.95


def _chance(found: Nearest, label: Tensor) -> Tensor:
    probabilities = found.logits.softmax(1)
    return probabilities.gather(1, label[:, None])[:, 0] <= 1 / probabilities.shape[1]
