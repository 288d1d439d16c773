"""Intervals against published and closed-form numbers."""

import math

import pytest
import torch

from app.training.measures.estimates import bootstrap, share


def test_wilson_interval_of_81_of_263_as_published() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    found = share(81, 263)
    assert found.low == pytest.approx(0.2553, abs=5e-5)
    assert found.high == pytest.approx(0.3662, abs=5e-5)


def test_nothing_of_ten_leaves_room_above() -> None:
    assert share(0, 10).low == 0
    assert share(0, 10).high == pytest.approx(0.2775, abs=5e-5)  # Newcombe's 0 of 10


def test_a_share_of_no_cases_is_no_number() -> None:
    assert math.isnan(share(0, 0).value)


def test_bootstrap_of_a_mean_comes_near_the_normal_interval() -> None:
    values = torch.randn(400, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = bootstrap(lambda index: values[index].mean(1), 400, seed=1)
    half = 1.96 * float(values.std()) / 20
    assert found.value == pytest.approx(float(values.mean()))
    assert found.low == pytest.approx(found.value - half, abs=0.01)
    assert found.high == pytest.approx(found.value + half, abs=0.01)


def test_bootstrap_repeats_by_its_seed() -> None:
    values = torch.arange(20.0)

    def mean(index: torch.Tensor) -> torch.Tensor:
        return values[index].mean(1)

    assert bootstrap(mean, 20, seed=3) == bootstrap(mean, 20, seed=3) != bootstrap(mean, 20, seed=4)
