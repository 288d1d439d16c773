"""Attacks of a fixed size against a plane at a known distance, and APGD against another implementation."""

import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.adversarial.attacks.apgd import apgd
from app.adversarial.attacks.ball import into_ball, stands
from app.adversarial.attacks.fab import fab
from app.adversarial.attacks.objectives import likeliest_others, targeted_dlr, untargeted_cross_entropy
from app.adversarial.attacks.square import square
from app.adversarial.minimal import minimal_attack
from app.adversarial.sizes import l2
from tests.adversarial.attacks.linear import mid_grey_beside_plane
from tests.adversarial.tiny import random_convnet, random_images

Attack = Callable[[nn.Module, Tensor, Tensor, float], Tensor]


def by_cross_entropy(network: nn.Module, images: Tensor, label: Tensor, radius_l2: float) -> Tensor:
    return apgd(network, images, label, radius_l2, untargeted_cross_entropy(label), random=seeded())


def by_targets(network: nn.Module, images: Tensor, label: Tensor, radius_l2: float) -> Tensor:
    target = likeliest_others(network, images, label, 1)[0]
    return apgd(network, images, label, radius_l2, targeted_dlr(label, target), random=seeded())


def by_queries(network: nn.Module, images: Tensor, label: Tensor, radius_l2: float) -> Tensor:
    return square(network, images, label, radius_l2, random=seeded(), queries=400)


def by_nearest(network: nn.Module, images: Tensor, label: Tensor, radius_l2: float) -> Tensor:
    found = fab(network, images, label, steps=20)
    return torch.where((l2(found - images) <= radius_l2)[:, None, None, None], found, images)


ATTACKS = {"apgd_ce": by_cross_entropy, "apgd_t": by_targets, "fab": by_nearest, "square": by_queries}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("attack", ["apgd_ce", "apgd_t", "fab"])
def test_a_plane_is_crossed_just_beyond_its_distance(attack: str) -> None:
    network, image, label = mid_grey_beside_plane(0.5)
    assert not stands(network, ATTACKS[attack](network, image, label, 0.51), image, label, 0.51).any()


def test_random_search_crosses_a_plane_at_a_few_times_its_distance() -> None:
    network, image, label = mid_grey_beside_plane(0.5)
    assert not stands(network, by_queries(network, image, label, 1.5), image, label, 1.5).any()


@pytest.mark.parametrize("attack", ATTACKS)
def test_where_no_attack_can_succeed_the_clean_image_comes_back(attack: str) -> None:
    network, image, label = mid_grey_beside_plane(0.5)
    assert torch.equal(ATTACKS[attack](network, image, label, 0.49), image)


def test_fab_finds_the_distance_of_a_plane() -> None:
    network, image, label = mid_grey_beside_plane(0.5)
    assert float(l2(fab(network, image, label, steps=10) - image)) == pytest.approx(0.5, rel=1e-3)


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_image_given_is_in_the_ball_and_in_zero_to_one(attack: str) -> None:
    network, images = random_convnet(0), random_images(1, 6)
    label = network(images).argmax(1)
    found = ATTACKS[attack](network, images, label, 0.8)
    assert float(l2(found - images).max()) <= 0.8 + 1e-9
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1


@pytest.mark.parametrize("attack", ["apgd_ce", "apgd_t", "square"])
def test_the_same_seed_gives_the_same_images(attack: str) -> None:
    network, images = random_convnet(0), random_images(1, 4)
    label = network(images).argmax(1)
    once, again = (ATTACKS[attack](network, images, label, 0.4) for _ in range(2))
    assert torch.equal(once, again)


def test_a_candidate_outside_the_ball_is_no_success() -> None:
    network, image, label = mid_grey_beside_plane(0.5)
    beyond = image + network.normal * 0.6
    assert bool(stands(network, beyond, image, label, 0.51))
    assert not bool(stands(network, beyond, image, label, 0.61))


def test_logits_that_are_not_finite_are_no_right_answer() -> None:
    _, image, label = mid_grey_beside_plane(0.5)
    assert not bool(stands(lambda x: x.flatten(1)[:, :2] * torch.nan, image, image, label, 1.0))


def test_the_ball_is_entered_straight_and_then_clamped() -> None:
    image = torch.tensor([[[[0.5, 0.9]]]])
    inside = into_ball(image + torch.tensor([[[[3.0, 4.0]]]]), image, 1.0)
    assert torch.allclose(inside, torch.tensor([[[[1.0, 1.0]]]]))
    assert torch.allclose(
        into_ball(image - torch.tensor([[[[0.3, 0.4]]]]), image, 0.25), torch.tensor([[[[0.35, 0.7]]]])
    )


def test_targeted_difference_of_logits_ratio_by_hand() -> None:
    logits = torch.tensor([[4.0, 1.0, 3.0, 2.0]])
    objective = targeted_dlr(torch.tensor([0]), torch.tensor([3]))
    assert float(objective(logits, torch.tensor([0]))) == pytest.approx((2 - 4) / (4 - (2 + 1) / 2))


def test_other_classes_come_likeliest_first_and_without_the_label() -> None:
    def always(images: Tensor) -> Tensor:
        return torch.tensor([[4.0, 1.0, 3.0, 2.0]]).expand(len(images), 4)

    assert likeliest_others(always, torch.zeros(1, 1, 1, 1), torch.tensor([2]), 9).T.tolist() == [[0, 3, 1]]


def test_a_start_moves_where_a_minimal_attack_sets_out() -> None:
    network, image, label = mid_grey_beside_plane(0.5)
    start = network.normal[None] * 0.5001  # already across
    found = minimal_attack(network, image, label, steps=1, eps=1e-9, start=start)
    assert float(found.perturbation_l2) == pytest.approx(0.5001, rel=1e-4)


@pytest.fixture(scope="module")
def torchattacks() -> Any:
    """Another implementation; it asks for an old `requests` that it never uses, so pip leaves out what it asks for."""
    if importlib.util.find_spec("torchattacks") is None:
        pytest.skip("torchattacks is not installed: pip install --no-deps torchattacks==3.5.1; pip install scipy tqdm")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("torchattacks")


@pytest.mark.parametrize("radius_l2", [0.05, 0.1, 0.2, 0.4])
def test_apgd_leaves_as_many_standing_as_torchattacks(torchattacks: Any, radius_l2: float) -> None:
    network, images = random_convnet(0, channels=3).float(), random_images(1, 40, channels=3).float()
    label = network(images).argmax(1)
    ours = stands(network, by_cross_entropy(network, images, label, radius_l2), images, label, radius_l2)
    attack = torchattacks.APGD(network, norm="L2", eps=radius_l2, steps=100, loss="ce", seed=0)
    theirs = stands(network, attack(images, label), images, label, radius_l2)
    print(f"radius {radius_l2}: {int(ours.sum())} and {int(theirs.sum())} of {len(label)} stand")  # noqa: T201 (for -rP)
    assert int((ours != theirs).sum()) <= 1  # rounding may tip an image that stands on the edge
