"""Calibration and two-class figures worked out by hand."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from app.training.measures.classification import area_under_roc, classification, expected_calibration_error


def test_calibration_error_by_hand() -> None:
    # Two bins: one of confidence .2 .4 with one of two right: |.3 - .5|; one of .9 .9, both wrong: .9; halves of each.
    confidence, right = torch.tensor([0.2, 0.4, 0.9, 0.9]), torch.tensor([True, False, False, False])
    assert expected_calibration_error(confidence, right, bins=2) == pytest.approx((0.2 + 0.9) / 2)


def test_a_calibrated_network_has_no_error() -> None:
    assert expected_calibration_error(torch.full((4,), 0.75), torch.tensor([True, True, True, False])) == 0


SCORES = st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30)


@given(images=SCORES)
@settings(max_examples=25, deadline=None)
def test_area_under_roc_is_the_share_of_pairs_in_order(images: list[tuple[int, bool]]) -> None:
    positive = [score for score, is_positive in images if is_positive]
    negative = [score for score, is_positive in images if not is_positive]
    found = area_under_roc(torch.tensor([float(s) for s, _ in images]), torch.tensor([p for _, p in images]))
    if not positive or not negative:
        assert math.isnan(found.value)
        return
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p in positive for n in negative]
    assert found.value == pytest.approx(sum(pairs) / len(pairs))


def test_hanley_mcneil_interval_as_published() -> None:
    # Hanley & McNeil 1982: 51 abnormal and 58 normal images with an area of .893 have a standard error of .032.
    area, n, m = 0.893, 51, 58
    score = torch.zeros(n + m)
    score[:n] = torch.linspace(0, 1, n)
    score[n:] = torch.linspace(-area, 1 - area, m)  # near that area; its own value is used below
    found = area_under_roc(score, torch.arange(n + m) < n)
    a = found.value
    q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
    error = math.sqrt((a * (1 - a) + (n - 1) * (q1 - a * a) + (m - 1) * (q2 - a * a)) / (n * m))
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * error) or found.high == 1


def test_sensitivity_and_specificity_by_hand() -> None:
    of_second = torch.tensor([0.9, 0.8, 0.1, 0.6, 0.2])
    labels = torch.tensor([1, 1, 1, 0, 0])
    found = classification(torch.stack([1 - of_second, of_second], 1), labels, ("well", "ill")).two_classes
    assert found is not None
    assert found.positive_class == "ill"
    assert found.sensitivity.value == pytest.approx(2 / 3)
    assert found.specificity.value == pytest.approx(1 / 2)
    assert (found.positive_images, found.negative_images) == (3, 2)


def test_more_than_two_classes_have_no_positive_one() -> None:
    assert classification(torch.eye(3), torch.arange(3), ("a", "b", "c")).two_classes is None


@pytest.mark.parametrize("temperature", [0.5, 3.0])
def test_what_a_temperature_did_to_calibration_is_measured(temperature: float) -> None:
    random = torch.Generator().manual_seed(0)
    logits, labels = 4 * torch.randn(300, 3, generator=random), torch.randint(3, (300,), generator=random)
    plain = classification(logits.softmax(1), labels, ("a", "b", "c"))
    divided = classification((logits / temperature).softmax(1), labels, ("a", "b", "c"), temperature)
    assert divided.expected_calibration_error_uncalibrated == pytest.approx(plain.expected_calibration_error, abs=1e-5)
    assert divided.expected_calibration_error != pytest.approx(plain.expected_calibration_error, abs=1e-2)
    assert plain.expected_calibration_error_uncalibrated is None
