"""How far an explanation is to be relied on: what was measured of its maps, and the verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.service.results.facts import ModelFacts

Level = Literal["high", "low", "abstain"]


@dataclass(frozen=True)
class Reason:
    """One thing that was measured, and how far an explanation is to be relied on by it alone.

    Attributes:
        about: what was measured: search, image, twin, gain, or what else there is to know of an explanation.
        level: abstain says not to read anything from it.
        sentence: what was found.
    """

    about: str
    level: Level
    sentence: str


@dataclass(frozen=True)
class Verdict:
    """How far an explanation is to be relied on: the weakest level of its reasons, which stand weakest first."""

    level: Level
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class MethodCost:
    """What one target's map took: passes forward and back, and passes forward alone."""

    gradient_evaluations: int
    forward_passes: int


@dataclass(frozen=True)
class AgreementTable:
    """How far the maps of several methods agree, pair by pair, rows and columns in the order of `methods`.

    Attributes:
        methods: names; the adversarial explanation comes first.
        rank_correlation: of the pixels, -1 to 1; None where a map is the same everywhere.
        ssim: structural similarity, -1 to 1.
    """

    methods: tuple[str, ...]
    rank_correlation: tuple[tuple[float | None, ...], ...]
    ssim: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True)
class MapQuality:
    """How good one method's map of a target is, measured on the network's input.

    Attributes:
        probability_gain_per_rms: the target's probability, moved as asked for, over the RMS of a change like the map.
        deletion_area: under the target's probability as its strongest pixels go to black, 0 to 1.
        insertion_area: as they come into a blurred image.
        max_sensitivity: largest change of the map under noise within `QUALITY_NOISE.radius`, over its own L2 norm.
        repeat_rank_correlation_mean, repeat_rank_correlation_least: with maps of the image under Gaussian noise of
            `QUALITY_NOISE.noise_rms`; None where a map is the same everywhere.
        repeat_ssim_mean, repeat_ssim_least: their structural similarity.
    """

    probability_gain_per_rms: float
    deletion_area: float
    insertion_area: float
    max_sensitivity: float
    repeat_rank_correlation_mean: float | None
    repeat_rank_correlation_least: float | None
    repeat_ssim_mean: float
    repeat_ssim_least: float


@dataclass(frozen=True)
class BaselineAreas:
    """The same areas for pixels in an order that knows nothing of the network: at random, or strongest edges first."""

    deletion_area: float
    insertion_area: float


@dataclass(frozen=True)
class JudgeReading:
    """What another network reads in the explained picture that is sent.

    Attributes:
        reads, reads_id: its most probable class, by the name and id that this has in its own model.
        reads_target: that is the explained class.
        probability_before, probability_after: of the explained class, by the judge, for the upload and the picture.
    """

    model: ModelFacts
    reads: str
    reads_id: int
    reads_target: bool
    probability_before: float
    probability_after: float


@dataclass(frozen=True)
class ExplanationQuality:
    """How good the maps of one target are.

    Attributes:
        methods: by name, adversarial first.
        random, edges: what the areas come to without any explanation.
        cost: of measuring all that.
    """

    methods: Mapping[str, MapQuality]
    random: BaselineAreas
    edges: BaselineAreas
    cost: MethodCost
