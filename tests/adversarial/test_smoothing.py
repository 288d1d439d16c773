"""Certificates against the closed form of a plane, against scipy, and against attacks on the smoothed classifier."""

import math

import pytest
import torch
from scipy.stats import beta, binom, norm  # type: ignore[import-untyped]  # it marks no types
from torch import Tensor

from app.adversarial.smoothing import SELECTED_BY, Certificate, Smoothing, certify, clopper_pearson_lower, radius_l2
from tests.adversarial.attacks.linear import mid_grey_beside_plane
from tests.adversarial.tiny import random_convnet, random_images


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("hits", "draws"), [(1, 1), (1, 10), (7, 10), (10, 10), (990, 1000), (1000, 1000), (60123, 100000)]
)
@pytest.mark.parametrize("alpha", [0.001, 0.05])
def test_the_lower_bound_is_scipys(hits: int, draws: int, alpha: float) -> None:
    assert clopper_pearson_lower(hits, draws, alpha) == pytest.approx(beta.ppf(alpha, hits, draws - hits + 1), rel=1e-9)


def test_of_all_hits_the_bound_is_a_root_by_hand() -> None:
    assert clopper_pearson_lower(100, 100, 0.001) == pytest.approx(0.001 ** (1 / 100), rel=1e-12)


def test_of_no_hits_the_bound_is_nothing() -> None:
    assert clopper_pearson_lower(0, 100, 0.001) == 0


def test_the_bound_is_wrong_no_more_often_than_alpha() -> None:
    draws, alpha = 20, 0.05
    for probability in (0.1, 0.5, 0.83, 0.99):
        wrong = [hits for hits in range(draws + 1) if clopper_pearson_lower(hits, draws, alpha) > probability]
        assert binom.pmf(wrong, draws, probability).sum() <= alpha


def test_the_radius_is_the_normal_quantile() -> None:
    assert radius_l2(norm.cdf(1.5), 0.2) == pytest.approx(0.3, rel=1e-9)
    assert radius_l2(0.5, 0.2) is None
    assert radius_l2(0.2, 0.2) is None


@pytest.mark.parametrize("distance_l2", [0.1, 0.3])
def test_on_a_plane_the_certificate_is_the_distance_from_below(distance_l2: float) -> None:
    # Noise across the plane is one normal number: the class has Phi(distance / sigma), whose radius is the distance.
    network, image, label = mid_grey_beside_plane(distance_l2)
    smoothing = Smoothing(sigma=0.2, draws=40_000)
    found = certify(network, image[0], smoothing, random=seeded(), rows_at_once=5000)
    assert found.class_id == int(label)
    exact = radius_l2(norm.cdf(distance_l2 / smoothing.sigma), smoothing.sigma)
    assert exact == pytest.approx(distance_l2, rel=1e-9)
    share = beta.ppf(smoothing.alpha, found.hits, smoothing.draws - found.hits + 1)
    assert found.radius_l2 == pytest.approx(smoothing.sigma * norm.ppf(share), rel=1e-6)
    assert 0.94 * distance_l2 < float(found.radius_l2 or 0) < distance_l2


def test_where_no_class_has_half_it_abstains() -> None:
    def network(images: Tensor) -> Tensor:
        """One of three classes by the first pixel, a third each under this noise."""
        edges = torch.tensor([norm.ppf(1 / 3), norm.ppf(2 / 3)]) * 0.5 + 0.5
        return torch.nn.functional.one_hot(torch.bucketize(images[:, 0, 0, 0].contiguous(), edges), 3).double()

    image = torch.full((1, 2, 2), 0.5)
    found = certify(network, image, Smoothing(sigma=0.5, draws=1000), random=seeded())
    assert found.radius_l2 is None
    assert found.hits / 1000 == pytest.approx(1 / 3, abs=0.05)


def test_all_draws_are_shown_in_batches_and_none_chooses_and_counts() -> None:
    shown: list[Tensor] = []

    def network(images: Tensor) -> Tensor:
        shown.append(images)
        return torch.stack([torch.ones(len(images)), torch.zeros(len(images))], 1)

    found = certify(network, torch.zeros(1, 2, 2), Smoothing(sigma=0.5, draws=250), random=seeded(), rows_at_once=64)
    assert [len(images) for images in shown] == [64, 36, 64, 64, 64, 58]
    assert found == Certificate(0, 250, found.probability_at_least, found.radius_l2)
    noise = torch.cat(shown)
    assert len(torch.unique(noise.flatten(1), dim=0)) == SELECTED_BY + 250
    assert float(noise.std()) == pytest.approx(0.5, rel=0.1)


def test_logits_that_are_not_finite_are_no_hit() -> None:
    def network(images: Tensor) -> Tensor:
        logits = torch.stack([torch.ones(len(images)), torch.zeros(len(images))], 1)
        return logits.masked_fill((images[:, 0, 0, :1] > 0.3), math.nan)

    found = certify(network, torch.zeros(1, 2, 2), Smoothing(sigma=0.5, draws=400), random=seeded())
    assert found.hits / 400 == pytest.approx(norm.cdf(0.3 / 0.5), abs=0.1)
    assert found.class_id == 0


def test_a_network_without_any_number_is_promised_nothing() -> None:
    found = certify(
        lambda images: torch.full((len(images), 2), math.nan),
        torch.zeros(1, 2, 2),
        Smoothing(draws=10),
        random=seeded(),
    )
    assert found == Certificate(-1, 0, 0.0, None)


def test_no_change_within_the_radius_flips_the_smoothed_classifier() -> None:
    network, images, sigma = random_convnet(1), random_images(2, 8), 0.2
    noise = 0.2 * torch.randn(2000, *images.shape[1:], generator=seeded(9), dtype=images.dtype)
    certified = 0
    for row, image in enumerate(images):
        found = certify(network, image, Smoothing(sigma=sigma, draws=500), random=seeded(row))
        if found.radius_l2 is None:
            continue
        certified += 1
        # Uphill of the smoothed classifier's own runner-up is the worst direction there is, were it linear.
        leaf = image.clone().requires_grad_()
        probabilities = network(leaf + noise).softmax(1).mean(0)
        others = probabilities.detach().clone()
        others[found.class_id] = -1
        (uphill,) = torch.autograd.grad(probabilities[int(others.argmax())] - probabilities[found.class_id], leaf)
        shown = image + uphill / uphill.norm() * 0.99 * found.radius_l2
        assert int(torch.bincount(network(shown + noise).argmax(1)).argmax()) == found.class_id
    assert certified >= 3
