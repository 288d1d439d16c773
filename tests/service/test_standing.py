"""Where an image stands among test images, and that model.json may say anything."""

from dataclasses import replace
from math import inf
from typing import Any

import pytest

from app.networks.description import ModelDescription
from app.service.standing import images_measured, percentile_of
from tests.networks.small import small_description


def described(**margins: object) -> ModelDescription:
    return replace(small_description(), scores={"margins": margins})


@pytest.mark.parametrize(
    ("size_rms", "expected"),
    [(0.05, 0), (0.1, 0), (0.15, 12.5), (0.2, 25), (0.3, 50), (0.5, 75), (0.6, 100), (inf, 100)],
)
def test_between_quantiles_it_is_interpolated(size_rms: float, expected: float) -> None:
    model = described(images=200, flip_rms_quantiles=[0.1, 0.2, 0.3, 0.5, 0.5])
    assert percentile_of(model, "flip", size_rms) == pytest.approx(expected)
    assert images_measured(model) == 200


def test_images_that_never_flipped_are_larger_than_any() -> None:
    model = described(images=9, flip_rms_quantiles=[0.1, 0.2, None])
    assert percentile_of(model, "flip", 0.2) == 50
    assert percentile_of(model, "flip", 5.0) == 50
    assert percentile_of(model, "flip", inf) == pytest.approx(50)


@pytest.mark.parametrize(
    "margins",
    [None, 3, {}, {"flip_rms_quantiles": "0.1, 0.2"}, {"flip_rms_quantiles": [0.2]}, {"flip_rms_quantiles": [0.2, 0.1]},
     {"flip_rms_quantiles": [[], {}]}],
)  # fmt: skip
def test_a_model_without_such_measures_says_nothing(margins: Any) -> None:
    model = replace(small_description(), scores={"margins": margins})
    assert percentile_of(model, "flip", 0.1) is None
    assert images_measured(model) is None
