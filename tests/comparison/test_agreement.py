"""Agreement of maps against numbers worked out by hand, and against scipy and scikit-image where they are installed."""

import math

import pytest
import torch

from app.comparison.agreement import agreement, center_of_mass, spearman, structural_similarity
from tests.adversarial.tiny import random_images


def test_a_map_agrees_with_itself_and_with_its_double_wholly() -> None:
    maps = random_images(1, 2, height=12, width=13) - 0.5
    found = agreement(maps, 2 * maps)
    for value, expected in ((found.spearman, 1.0), (found.ssim, 1.0), (found.center_distance, 0.0)):
        assert value.tolist() == pytest.approx([expected, expected])


def test_a_map_is_the_opposite_of_its_negative_but_points_to_the_same_place() -> None:
    maps = random_images(1, 1, height=12, width=13) - 0.5
    found = agreement(maps, -maps)
    assert found.spearman.item() == pytest.approx(-1)
    assert found.ssim.item() < -0.5
    assert found.center_distance.item() == pytest.approx(0)


def test_maps_of_unlike_channels_are_compared_by_their_mean_over_channels() -> None:
    maps = random_images(1, 2, height=12, width=13)
    assert agreement(maps, maps.mean(1, keepdim=True)).ssim.tolist() == pytest.approx([1, 1])


def test_ranks_by_hand() -> None:
    # Ranks 1 2 3 4 5 and 2 1 4 3 5: differences of squares sum 4, so 1 - 6 * 4 / (5 * 24) = 0.8.
    one, other = torch.tensor([[1.0, 2.0, 3.0, 4.0, 50.0]]), torch.tensor([[0.2, -7.0, 4.0, 3.0, 9.0]])
    assert spearman(one, other).item() == pytest.approx(0.8)


def test_equal_values_share_their_mean_rank() -> None:
    # Ranks 1.5 1.5 3 4 and 1 2 3 4: products about their means sum to 4.5, squares to 4.5 and 5.
    one, other = torch.tensor([[0.0, 0.0, 1.0, 2.0]]), torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert spearman(one, other).item() == pytest.approx(4.5 / math.sqrt(4.5 * 5))


def test_the_order_of_a_constant_map_is_no_number() -> None:
    assert spearman(torch.zeros(1, 4), torch.arange(4.0)[None]).isnan().all()


def test_structure_of_constant_maps_by_hand() -> None:
    # No variance: (2 * .2 * .6 + c1) / (.2**2 + .6**2 + c1), with c1 = .01**2.
    one, other = (torch.full((1, 11, 11), level, dtype=torch.float64) for level in (0.2, 0.6))
    assert structural_similarity(one, other, 1.0).item() == pytest.approx(0.2401 / 0.4001)


def test_maps_smaller_than_the_window_have_a_structure_too() -> None:
    maps = random_images(1, 2, height=5, width=4)
    assert agreement(maps, maps).ssim.tolist() == pytest.approx([1, 1])


def test_the_centre_of_mass_by_hand() -> None:
    maps = torch.zeros(2, 3, 5, dtype=torch.float64)
    maps[0, 2, 1], maps[0, 2, 4] = -2.0, 1.0  # weights 2 and 1, whatever the sign
    assert center_of_mass(maps).tolist() == [[2.0, 2.0], [1.0, 2.0]]  # of nothing, the middle


def test_rank_correlation_equals_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    maps = (random_images(3, 2, channels=1, height=9, width=9) * 20).round()  # with ties
    expected = stats.spearmanr(maps[0].flatten().numpy(), maps[1].flatten().numpy()).statistic
    assert spearman(maps[:1], maps[1:]).item() == pytest.approx(expected, abs=1e-12)


def test_the_centre_of_mass_equals_scipys() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    maps = random_images(3, 1, channels=1, height=9, width=7)[0]
    assert center_of_mass(maps)[0].tolist() == pytest.approx(ndimage.center_of_mass(maps[0].numpy()))


def test_structural_similarity_equals_scikit_images() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    one, other = random_images(3, 2, channels=1, height=20, width=17)[:, 0]
    expected = metrics.structural_similarity(
        one.numpy(), other.numpy(), data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    assert structural_similarity(one[None], other[None], 1.0).item() == pytest.approx(expected, abs=1e-12)
