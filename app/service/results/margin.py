"""How much change a prediction withstands: measured, and promised."""

from dataclasses import dataclass

from app.service.results.facts import Prediction, Result


@dataclass(frozen=True)
class SmallestChange:
    """The smallest change found that takes the answer away; sizes in pixels of [0, 1], at the network's input size.

    Attributes:
        found: whether there is one; where not, the sizes and what follows from them are None.
        perturbation_rms, perturbation_l2: its sizes.
        probability_after: of the class that was predicted, with the change.
        changed_class_to, changed_class_id: what is read then; None where it is the same class still.
        largest_rms_tried, largest_l2_tried: at which the network was asked; without a change found, what it withstood.
        percentile: the share, from 0 to 100, of the model's test images that a smaller change is enough for; None where
            the model's measures do not say.
    """

    found: bool
    perturbation_rms: float | None
    perturbation_l2: float | None
    probability_after: float | None
    changed_class_to: str | None
    changed_class_id: int | None
    largest_rms_tried: float
    largest_l2_tried: float
    percentile: float | None


@dataclass(frozen=True)
class RobustnessMargin:
    """How much change the answer withstands, as far as attacks tell: an upper bound.

    Attributes:
        flip: the smallest change that changes the class.
        chance: that brings its probability to `chance_probability`, 1 / classes, or below.
        test_images: that the percentiles are among, None where the model's measures have none.
        restarts, gradient_evaluations: the effort.
        says: all that in sentences.
    """

    flip: SmallestChange
    chance: SmallestChange
    chance_probability: float
    test_images: int | None
    restarts: int
    gradient_evaluations: int
    says: str


@dataclass(frozen=True)
class RadiusCertificate:
    """What is promised, of the smoothed classifier and not of the network.

    Attributes:
        abstains: no radius could be promised.
        smoothed_class, smoothed_class_id: what the smoothed classifier answers; None where it gives no class.
        agrees: it answers as the network does without noise.
        probability_at_least: of that class under noise, with confidence 1 - alpha.
        radius_l2, radius_rms: no change below it changes the smoothed classifier's answer; None where it abstains.
        sigma, draws, alpha: of the noise, pixels in [0, 1]; of it; the share of certificates that may be wrong.
        says: all that in sentences.
    """

    abstains: bool
    smoothed_class: str | None
    smoothed_class_id: int | None
    agrees: bool
    probability_at_least: float
    radius_l2: float | None
    radius_rms: float | None
    sigma: float
    draws: int
    alpha: float
    says: str


@dataclass(frozen=True)
class MarginResult(Result):
    """Answer to `POST /v1/margins`. `timing_ms` has the keys queued, decode, margin; certificate where it was made."""

    prediction: Prediction
    margin: RobustnessMargin
    certificate: RadiusCertificate | None
