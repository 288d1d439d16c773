"""ARA by hand, by brute force and by the authors' bins."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.adversarial.area import accuracy_robustness_area
from tests.reference import authors_area, brute_force_area

SIZES = st.lists(st.floats(0, 2).map(lambda size: round(size, 3)), min_size=1, max_size=12)


def test_four_images_of_two_classes_by_hand() -> None:
    # Standing: 3/4 until 0.1, 2/4 = chance after; so 0.1 * (3/4 - 1/2), and nothing for the rest.
    assert accuracy_robustness_area(torch.tensor([0.0, 0.1, 0.4, 0.9]), 2) == pytest.approx(0.1 * 0.25)


def test_a_perfect_network_of_ten_classes_by_hand() -> None:
    assert accuracy_robustness_area(torch.tensor([0.2, 0.2]), 10) == pytest.approx(0.2 * 0.9)


def test_all_misclassified_is_zero() -> None:
    assert accuracy_robustness_area(torch.zeros(5), 10) == 0


@given(sizes=SIZES, classes=st.integers(2, 12))
@settings(max_examples=15, deadline=None)
def test_equals_brute_force_and_the_authors_bins(sizes: list[float], classes: int) -> None:
    ours = accuracy_robustness_area(torch.tensor(sizes, dtype=torch.float64), classes)
    largest = max(sizes)
    # A slice is wrong by its width at most, at each of the steps of the staircase.
    assert ours == pytest.approx(
        brute_force_area(sizes, classes, largest, slices=5000), abs=len(sizes) * largest / 5000
    )
    assert ours == pytest.approx(authors_area(sizes, classes, largest), abs=len(sizes) * largest / 1000)


def test_the_order_of_images_does_not_matter() -> None:
    sizes = torch.tensor([0.3, 0.0, 0.7, 0.1])
    assert accuracy_robustness_area(sizes, 10) == accuracy_robustness_area(sizes.sort().values, 10)


def test_never_flipped_counts_as_the_largest_size_tried_on_that_image() -> None:
    never = torch.tensor([0.1, torch.inf])
    tried = torch.tensor([0.5, 0.6])
    assert accuracy_robustness_area(never, 10, tried) == pytest.approx(
        accuracy_robustness_area(torch.tensor([0.1, 0.6]), 10)
    )


def test_never_flipped_without_the_sizes_tried_is_refused() -> None:
    with pytest.raises(ValueError, match="give largest_rms"):
        accuracy_robustness_area(torch.tensor([0.1, torch.inf]), 10)


@pytest.mark.parametrize("sizes", [[], [0.1, float("nan")]])
def test_no_images_and_nan_are_refused(sizes: list[float]) -> None:
    with pytest.raises(ValueError, match="smallest_rms"):
        accuracy_robustness_area(torch.tensor(sizes), 10)
