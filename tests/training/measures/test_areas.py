"""Areas and their ratio where they are known."""

from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor

from app.adversarial.minimal import minimal_attack
from app.training.measures.areas import SmallestChanges, areas, ratio_of_areas, smallest_changes, worst_found
from tests.adversarial.tiny import random_convnet, random_images


def all_of(sizes: Tensor) -> SmallestChanges:
    """The same sizes for every goal."""
    return SmallestChanges(**{part.name: sizes for part in fields(SmallestChanges)})


def test_twice_the_sizes_are_twice_the_area_in_every_resample() -> None:
    sizes = torch.rand(30, generator=torch.Generator().manual_seed(0))
    ratio = ratio_of_areas(all_of(2 * sizes), all_of(sizes), classes=10, seed=1)
    assert (ratio.low, ratio.value, ratio.high) == pytest.approx((2, 2, 2))


def test_never_flipped_images_are_counted_and_stand_to_what_was_tried() -> None:
    found = replace(
        all_of(torch.tensor([0.5, 0.5])),
        worst_case_rms=torch.tensor([0.1, torch.inf]),
        worst_case_tried_rms=torch.tensor([0.1, 0.3]),
    )
    measured = areas(found, 10, 4.0, steps=1, restarts=0, seed=0)
    assert measured.never_flipped == 1
    assert measured.worst_case_ara is not None
    assert measured.worst_case_ara_l2 is not None
    assert measured.worst_case_ara.value == pytest.approx(0.1 * 0.9 + 0.2 * 0.4)
    assert measured.worst_case_ara_l2.value == pytest.approx(4 * measured.worst_case_ara.value)
    assert measured.attack_ara.value == pytest.approx(0.5 * 0.9)


def test_the_worst_case_is_never_above_a_single_attack_and_restarts_never_raise_it() -> None:
    network, images = random_convnet(0), random_images(1, 5)
    label = network(images).argmax(1)
    alone = minimal_attack(network, images, label, steps=30).perturbation_rms
    none, two = (
        smallest_changes(network, images, label, steps=30, restarts=count, random=torch.Generator().manual_seed(0))
        for count in (0, 2)
    )
    assert torch.equal(none.attack_rms, alone)
    (of_none, _), (of_two, _) = worst_found(none), worst_found(two)
    assert bool((of_none <= alone).all())
    assert bool((of_two <= of_none).all())
    assert bool((of_two < of_none).any())


def test_what_is_not_looked_for_has_no_area() -> None:
    network, images = random_convnet(0), random_images(1, 3)
    label = network(images).argmax(1)
    found = smallest_changes(network, images, label, steps=10, btr=False, worst_case=False)
    assert torch.equal(found.attack_rms, smallest_changes(network, images, label, steps=10).attack_rms)
    measured = areas(found, 10, 4.0, steps=10, restarts=0, seed=0)
    assert (measured.btr_ara, measured.worst_case_ara, measured.worst_case_ara_l2) == (None, None, None)
    assert worst_found(found)[0].equal(found.attack_rms)
