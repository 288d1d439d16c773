"""Plain classification: accuracy, calibration, and for two classes the figures that medicine asks for."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from app.training.measures.estimates import Z_95, Estimate, share_of

CALIBRATION_BINS = 15


@dataclass(frozen=True)
class TwoClasses:
    """How one class is told from the other.

    Attributes:
        positive_class: the class that is looked for: the second.
        auroc: area under the receiver operating characteristic, interval after Hanley & McNeil 1982.
        sensitivity, specificity: shares of the positive and of the negative images found as such, at probability 1/2.
        positive_images, negative_images: how many there are.
    """

    positive_class: str
    auroc: Estimate
    sensitivity: Estimate
    specificity: Estimate
    positive_images: int
    negative_images: int


@dataclass(frozen=True)
class Classification:
    """Measures of the whole test split.

    Attributes:
        accuracy: share of right answers, with its Wilson interval.
        expected_calibration_error: mean distance of confidence and accuracy, over `calibration_bins` equal bins.
        expected_calibration_error_uncalibrated: the same, had the logits not been divided by a temperature after
            training; None where they were not, or by which is not known.
        images: in the test split.
        two_classes: where there are just two.
    """

    accuracy: Estimate
    expected_calibration_error: float
    expected_calibration_error_uncalibrated: float | None
    calibration_bins: int
    images: int
    two_classes: TwoClasses | None


def classification(
    probabilities: Tensor, labels: Tensor, classes: tuple[str, ...], temperature: float | None = None
) -> Classification:
    """Measure softmax outputs (images, classes) against labels int64 (images,).

    Args:
        probabilities: in the order of the classes.
        labels: class ids.
        classes: their names.
        temperature: that the logits were divided by after training, if they were.
    """
    confidence, predicted = probabilities.max(1)
    right = predicted == labels
    return Classification(
        accuracy=share_of(right),
        expected_calibration_error=expected_calibration_error(confidence, right),
        expected_calibration_error_uncalibrated=(
            None
            if temperature is None
            else expected_calibration_error(_times(temperature, probabilities).amax(1), right)
        ),
        calibration_bins=CALIBRATION_BINS,
        images=len(labels),
        two_classes=_two_classes(probabilities[:, 1], predicted, labels, classes[1]) if len(classes) == 2 else None,
    )


def expected_calibration_error(confidence: Tensor, right: Tensor, bins: int = CALIBRATION_BINS) -> float:
    """Over bins of equal width, |mean confidence - accuracy| weighted by the share of images in each.

    Args:
        confidence: (images,), probability of the predicted class.
        right: bool (images,).
        bins: how many; (0, 1/bins], (1/bins, 2/bins] …
    """
    of_bin = (confidence.double() * bins).ceil().long().clamp(1, bins) - 1
    gap = torch.zeros(bins, dtype=torch.float64).index_add(0, of_bin, right.double() - confidence.double())
    return float(gap.abs().sum() / len(confidence))


def _times(temperature: float, probabilities: Tensor) -> Tensor:
    """Softmax outputs of logits so many times as large, which are the logarithms but for a constant."""
    return (temperature * probabilities.double().clamp(min=1e-300).log()).softmax(1)


def area_under_roc(score: Tensor, positive: Tensor) -> Estimate:
    """The share of pairs of a positive and a negative image whose scores are in order, equal ones counting half.

    The interval is Hanley & McNeil's (1982), cut at 0 and 1. NaN where there are no images of one kind.

    Args:
        score: (images,), larger for images that look positive.
        positive: bool (images,).
    """
    of_positive, of_negative = score[positive].double(), score[~positive].double().sort().values
    n, m = len(of_positive), len(of_negative)
    if not n or not m:
        return Estimate(math.nan, 0.0, 1.0)
    below = torch.searchsorted(of_negative, of_positive).double()
    not_above = torch.searchsorted(of_negative, of_positive, right=True).double()
    area = float((below + not_above).mean() / 2 / m)
    two_positives, two_negatives = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (n - 1) * (two_positives - area**2) + (m - 1) * (two_negatives - area**2)
    spread = Z_95 * math.sqrt(max(variance, 0.0) / (n * m))
    return Estimate(area, max(0.0, area - spread), min(1.0, area + spread))


def _two_classes(score: Tensor, predicted: Tensor, labels: Tensor, positive_class: str) -> TwoClasses:
    positive = labels == 1
    return TwoClasses(
        positive_class=positive_class,
        auroc=area_under_roc(score, positive),
        sensitivity=share_of(predicted[positive] == 1),
        specificity=share_of(predicted[~positive] == 0),
        positive_images=int(positive.sum()),
        negative_images=int((~positive).sum()),
    )
