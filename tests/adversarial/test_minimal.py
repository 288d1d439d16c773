"""Minimal attacks against the slow oracle, by hand, and with networks that break."""

import math

import pytest
import torch
from torch import Tensor, nn

from app.adversarial.area import accuracy_robustness_area
from app.adversarial.drives import Drive, cross_entropy, margin
from app.adversarial.minimal import MinimalAttack, minimal_attack, smaller
from app.adversarial.sizes import rms
from app.adversarial.stop_rules import StopRule, while_better_than_random, while_class_stands
from tests.adversarial.tiny import (
    DRIVES,
    RULES,
    breaks_beyond,
    one_row,
    random_convnet,
    random_images,
    two_pixel_image,
    two_pixel_network,
)
from tests.reference import plain_loop, plain_minimal_rms

GOALS = [while_class_stands, while_better_than_random]


@pytest.mark.parametrize("drive", [cross_entropy, margin])
@pytest.mark.parametrize("goal", GOALS)
def test_equals_the_oracle(goal: StopRule, drive: Drive) -> None:
    network, images = random_convnet(1), random_images(2, 6)
    label = network(images).argmax(1)
    label[5] = (label[5] + 1) % 4  # misclassified from the start

    found = minimal_attack(network, images, label, follow_rule=goal, drive=drive, steps=12, eps=2.0)

    for i in range(6):
        follow = RULES[goal](one_row(encourage=False, steps=12, label=int(label[i])))
        seen = plain_loop(
            network,
            images[i],
            score=DRIVES[drive](int(label[i])),
            encourage=False,
            size_rms=2.0,
            steps=12,
            overshoot=1.0,
            momentum=float(torch.tensor(0.9)),  # options are kept in float32
            follow=follow,
        )
        expected = plain_minimal_rms(network, images[i], seen, follow)
        assert float(found.perturbation_rms[i]) == pytest.approx(expected, rel=1e-9)
    assert found.perturbation_rms[5] == 0
    assert found.goal_met.any()


def attack_two_pixels(flips_at: float, *, steps: int = 3, eps: float = 3.0) -> MinimalAttack:
    """Attack an image that flips at this RMS, without momentum: with three steps of 1.5, 1 and 0.5."""
    image = two_pixel_image(-2 * flips_at)
    return minimal_attack(two_pixel_network, image, torch.tensor([0]), steps=steps, eps=eps, momentum=0.0)


def test_the_smallest_success_is_kept_and_not_the_last() -> None:
    # 1.5 flips, 0.5 does not, 1 does not
    assert float(attack_two_pixels(1.2).perturbation_rms) == pytest.approx(1.5, rel=1e-6)


def test_it_looks_once_more_after_the_last_step() -> None:
    # 1.5 flips, 0.5 does not, 1 does
    assert float(attack_two_pixels(0.9).perturbation_rms) == pytest.approx(1.0, rel=1e-6)


def test_never_flipped_is_infinite_with_the_largest_size_tried() -> None:
    found = attack_two_pixels(3.1)
    assert found.perturbation_rms.tolist() == [math.inf]
    assert found.perturbation_l2.tolist() == [math.inf]
    assert not found.goal_met.any()
    assert not found.perturbation.any()
    assert found.largest_rms_tried.tolist() == pytest.approx([3.0], rel=1e-5)
    area = accuracy_robustness_area(found.perturbation_rms, 2, found.largest_rms_tried)
    assert area == pytest.approx(3.0 * (1 - 1 / 2), rel=1e-5)


def test_misclassified_from_the_start_is_zero_and_met() -> None:
    found = minimal_attack(two_pixel_network, two_pixel_image(1.0), torch.tensor([0]), steps=3)
    assert found.perturbation_rms.tolist() == [0.0]
    assert found.perturbation_l2.tolist() == [0.0]
    assert found.goal_met.all()
    assert found.largest_rms_tried.tolist() == [0.0]


def test_what_is_reported_is_what_the_perturbation_does() -> None:
    network, images = random_convnet(3), random_images(4, 8)
    label = network(images).argmax(1)

    found = minimal_attack(network, images, label, steps=20, eps=2.0)

    met = found.goal_met
    after = network(images + found.perturbation)
    assert torch.equal(after.argmax(1) != label, met)
    torch.testing.assert_close(found.perturbation_rms[met], rms(found.perturbation)[met])
    torch.testing.assert_close(found.perturbation_l2[met], found.perturbation[met].flatten(1).norm(dim=1))
    torch.testing.assert_close(found.probability_after, after.softmax(1)[torch.arange(8), label])
    torch.testing.assert_close(found.probability_before, network(images).softmax(1)[torch.arange(8), label])


def test_an_eps_not_given_grows_with_the_steps() -> None:
    # 20 * 9 / 450 = 0.4 in all, along a line that never flips
    found = minimal_attack(two_pixel_network, two_pixel_image(-5.0), torch.tensor([0]), steps=9, momentum=0.0)
    assert found.largest_rms_tried.tolist() == pytest.approx([0.4], rel=1e-5)


def test_a_network_that_breaks_has_not_lost_the_class() -> None:
    # Seen: left - right of -4, -1 (after 1.5) and 1 (after 2.5), where the class would be lost.
    network = breaks_beyond(-0.5, kind="nan")

    found = minimal_attack(network, two_pixel_image(-4.0), torch.tensor([0]), steps=3, eps=3.0, momentum=0.0)

    assert found.non_finite_step.tolist() == [2]
    assert found.perturbation_rms.tolist() == [math.inf]
    assert not found.goal_met.any()
    assert found.largest_rms_tried.tolist() == pytest.approx([1.5], rel=1e-5)


def test_what_was_found_before_the_network_broke_is_kept() -> None:
    # Seen: -1, 2 (after 1.5: lost), 0 (after 0.5: broken)
    def network(images: Tensor) -> Tensor:
        logits = two_pixel_network(images)
        return logits.masked_fill((logits.detach()[:, 1:].abs() < 0.1), torch.nan)

    found = minimal_attack(network, two_pixel_image(-1.0), torch.tensor([0]), steps=3, eps=3.0, momentum=0.0)

    assert found.non_finite_step.tolist() == [2]
    assert found.goal_met.tolist() == [True]
    assert found.perturbation_rms.tolist() == pytest.approx([1.5], rel=1e-5)
    assert found.perturbation_l2.tolist() == pytest.approx([1.5 * 2**0.5], rel=1e-5)


def test_a_network_that_breaks_at_the_last_look_says_so() -> None:
    # Seen: -5, -2 (after 1.5), 0 (2.5), and 1 (3), the last look
    network = breaks_beyond(0.5, kind="nan")
    image = two_pixel_image(-5.001)

    found = minimal_attack(network, image, torch.tensor([0]), steps=3, eps=3.0, momentum=0.0)

    assert found.non_finite_step.tolist() == [3]
    assert found.perturbation_rms.tolist() == [math.inf]
    assert not found.goal_met.any()


@pytest.mark.parametrize("label", [0, 1])
def test_an_image_of_nan_meets_no_goal_and_leaves_its_neighbour_alone(label: int) -> None:
    images = torch.cat([two_pixel_image(-1.0), two_pixel_image(torch.nan)])

    found = minimal_attack(two_pixel_network, images, torch.tensor([0, label]), steps=3, eps=3.0, momentum=0.0)

    assert found.non_finite_step.tolist() == [-1, 0]
    assert found.goal_met.tolist() == [True, False]
    assert found.perturbation_rms.tolist() == pytest.approx([1.0, math.inf], rel=1e-6)
    assert found.perturbation_l2.isfinite().tolist() == [True, False]


def test_the_smaller_of_two_attacks_is_taken_row_by_row() -> None:
    network, images = random_convnet(5), random_images(6, 8)
    label = network(images).argmax(1)
    first = minimal_attack(network, images, label, drive=cross_entropy, steps=10, eps=1.5)
    second = minimal_attack(network, images, label, drive=margin, steps=10, eps=1.5)

    worst = smaller(first, second)

    assert torch.equal(worst.perturbation_rms, torch.minimum(first.perturbation_rms, second.perturbation_rms))
    assert torch.equal(worst.perturbation_l2, torch.minimum(first.perturbation_l2, second.perturbation_l2))
    assert torch.equal(worst.goal_met, worst.perturbation_rms.isfinite())
    torch.testing.assert_close(rms(worst.perturbation)[worst.goal_met], worst.perturbation_rms[worst.goal_met])


def test_weights_take_no_gradient() -> None:
    network: nn.Module = random_convnet(7).requires_grad_(True)
    images: Tensor = random_images(8, 2)
    minimal_attack(network, images, network(images).argmax(1), steps=3)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
