"""Drawing the line around a model's own images, on images of which it is known whose they are."""

import pytest
import torch
from torch import Tensor

from app.networks.resnet import ResNet, freeze
from app.training.measures.domain import DomainMeasures, calibrate_domain
from tests.training.toy import NETWORK, toy_images


@pytest.fixture(scope="module")
def measured() -> DomainMeasures:
    torch.manual_seed(0)
    flat = torch.full((30, 1, 8, 8), 128, dtype=torch.uint8)
    others = {"flat": flat, "more of the same": toy_images(100, seed=7).images}
    return calibrate_domain(freeze(ResNet(NETWORK)), toy_images(300), toy_images(400, seed=1), others, seed=0)


def test_half_of_the_test_images_draw_the_line_and_the_others_are_measured(measured: DomainMeasures) -> None:
    own = measured.own
    assert (own.train_images, own.calibration_images, own.images) == (300, 200, 200)
    assert own.flagged.low < 0.05 < own.flagged.high


def test_images_of_another_kind_are_told_apart_and_more_of_the_same_are_not(measured: DomainMeasures) -> None:
    flat, same = measured.others
    assert (flat.other, flat.images, flat.auroc.value, flat.flagged.value) == ("flat", 30, 1.0, 1.0)
    assert same.auroc.low < 0.5 < same.auroc.high


def test_percentiles_are_of_the_scores_that_drew_the_line(measured: DomainMeasures) -> None:
    percentiles, threshold = measured.calibration.percentiles, measured.calibration.threshold
    assert percentiles[95] == pytest.approx(threshold)
    assert list(percentiles) == sorted(percentiles)


def test_it_is_the_same_again(measured: DomainMeasures) -> None:
    torch.manual_seed(0)
    others: dict[str, Tensor] = {}
    again = calibrate_domain(freeze(ResNet(NETWORK)), toy_images(300), toy_images(400, seed=1), others, seed=0)
    assert again.calibration == measured.calibration
