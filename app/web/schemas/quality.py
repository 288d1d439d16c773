"""How far an explanation is to be relied on, and what was measured to say so."""

from typing import Literal

from pydantic import BaseModel, Field

from app.service.options import QUALITY_NOISE
from app.web.schemas.facts import Model


class MethodCost(BaseModel):
    """What one target's map took: passes forward and back, and passes forward alone."""

    gradient_evaluations: int = Field(description="passes forward and back")
    forward_passes: int = Field(description="passes forward alone")


class AgreementTable(BaseModel):
    """How far the methods' maps agree, pair by pair, rows and columns in the order of `methods`."""

    methods: list[str]
    rank_correlation: list[list[float | None]] = Field(description="-1 to 1; null where a map is the same everywhere")
    ssim: list[list[float | None]] = Field(description="structural similarity, -1 to 1")


class MapQuality(BaseModel):
    """How good one method's map of the target is; measured on the network's input, pixels in [0, 1]."""

    probability_gain_per_rms: float = Field(
        description="the target's probability, moved as asked for, over the RMS size of a change like the map"
    )
    deletion_area: float = Field(
        description="0 to 1: area under the target's probability against the share of pixels taken to black, the map's"
        " strongest first; the smaller the better, beside random and edges"
    )
    insertion_area: float = Field(
        description="0 to 1: the same as pixels come into a blurred image; the larger the better"
    )
    max_sensitivity: float = Field(
        description="largest change of the map, as a share of its own L2 size, under noise of up to"
        f" {QUALITY_NOISE.radius:g} of a pixel's range ({QUALITY_NOISE.samples} samples); 0 is wholly stable"
    )
    repeat_rank_correlation_mean: float | None = Field(
        description=f"-1 to 1: of the map with {QUALITY_NOISE.repeats} made of the image with normal noise of"
        " 1/255, about what saving it anew changes; null where a map is the same everywhere"
    )
    repeat_rank_correlation_least: float | None = Field(description="the least of these")
    repeat_ssim_mean: float = Field(description="structural similarity with the same maps, -1 to 1")
    repeat_ssim_least: float = Field(description="the least of these")


class BaselineAreas(BaseModel):
    """What the areas come to in an order of pixels that knows nothing of the network."""

    deletion_area: float = Field(description="0 to 1, as of a map")
    insertion_area: float = Field(description="0 to 1, as of a map")


class Quality(BaseModel):
    """How good the maps of one target are."""

    methods: dict[str, MapQuality] = Field(description="of each method, adversarial first")
    random: BaselineAreas = Field(description="pixels in random order, the mean of three")
    edges: BaselineAreas = Field(description="strongest edges of the image first")
    cost: MethodCost = Field(description="about what measuring it took")


class JudgeReading(BaseModel):
    """What another network reads in the explained picture."""

    model: Model
    reads: str = Field(description="its most probable class for the explained picture")
    reads_id: int = Field(description="its place among the judge's classes, from 0")
    reads_target: bool = Field(description="whether that is the explained class")
    probability_before: float = Field(description="of the explained class, by the judge, for the upload; 0 to 1")
    probability_after: float = Field(description="the same for the explained picture")


class Reason(BaseModel):
    """One thing that was measured, and how far the explanation is to be relied on by it alone."""

    about: str = Field(
        description="search, image, twin, gain (of probability for the size of the change); with quality also stability"
        " (under noise) and judge"
    )
    level: Literal["high", "low", "abstain"]
    sentence: str = Field(description="what was found")


class Verdict(BaseModel):
    """How far an explanation is to be relied on."""

    level: Literal["high", "low", "abstain"] = Field(
        description="the weakest level of the reasons; abstain: read nothing from it"
    )
    reasons: list[Reason] = Field(description="the weakest first")
