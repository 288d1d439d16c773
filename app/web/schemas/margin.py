"""How much change a prediction withstands."""

from pydantic import BaseModel, Field

from app.web.schemas.facts import TIMING, Answer


class SmallestChange(BaseModel):
    """The smallest change found that takes the answer away; measured on the network's input, pixels in [0, 1]."""

    found: bool = Field(description="whether any change tried did; where none did, most of the rest is null")
    perturbation_rms: float | None = Field(description="its RMS size")
    perturbation_l2: float | None = Field(description="its L2 size")
    probability_after: float | None = Field(description="of the class that was predicted, with the change")
    changed_class_to: str | None = Field(description="what is read then; null where it is the same class still")
    changed_class_id: int | None = Field(description="its place among the model's classes, from 0")
    largest_rms_tried: float = Field(
        description="RMS size of the largest change tried; not flipped up to it if not found"
    )
    largest_l2_tried: float = Field(description="the same, L2")
    percentile: float | None = Field(
        description="0 to 100: the share of the model's test images for which a smaller change is enough; null where"
        " the model's measures do not say"
    )


class Margin(BaseModel):
    """How much change the prediction withstands, as far as attacks tell: an upper bound, and no promise."""

    flip: SmallestChange = Field(description="the smallest change found that changes the class")
    chance: SmallestChange = Field(
        description='that brings the class to chance_probability or below ("better than random")'
    )
    chance_probability: float = Field(description="1 / number of classes")
    test_images: int | None = Field(
        description="that the percentiles are among; null where the model has none measured"
    )
    restarts: int = Field(description="further searches that were made, from random changes")
    gradient_evaluations: int = Field(description="passes forward and back that the search took")
    says: str = Field(description="the flip, in sentences")


class Certificate(BaseModel):
    """What randomized smoothing promises: of the smoothed classifier, not of the network that made the prediction."""

    abstains: bool = Field(description="no radius can be promised")
    smoothed_class: str | None = Field(description="what the smoothed classifier answers")
    smoothed_class_id: int | None = Field(description="its id, from 0")
    agrees: bool = Field(description="the smoothed classifier answers what the network predicts without noise")
    probability_at_least: float = Field(description="of that class under noise, with confidence 1 - alpha")
    radius_l2: float | None = Field(
        description="L2 size, pixels in [0, 1]: no change below it changes the smoothed classifier's answer; null where"
        " it abstains"
    )
    radius_rms: float | None = Field(description="the same, RMS")
    sigma: float = Field(description="standard deviation of the noise, pixels in [0, 1]")
    draws: int = Field(description="noisy images that the probability was estimated with")
    alpha: float = Field(description="the share of certificates that may be wrong")
    says: str = Field(description="what is promised, and of what, in sentences")


class MarginAnswer(Answer):
    """How much change the prediction of one image withstands: what was measured, and apart from it what is promised."""

    margin: Margin
    certificate: Certificate | None = Field(description="null unless it was asked for")
    timing_ms: dict[str, float] = Field(description=TIMING)
