"""What every answer says: which network, which image, what it is read as, and whether it is its business."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Region:
    """A rectangle in the uploaded image's own pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class LevelWindow:
    """Levels that run from black to white, in the file's own units."""

    center: float
    width: float


@dataclass(frozen=True)
class ModelFacts:
    """Which network answered: input sizes in pixels; `fit` is stretch, letterbox or center_crop."""

    name: str
    weights_sha256: str
    height: int
    width: int
    channels: int
    fit: str


@dataclass(frozen=True)
class ImageFacts:
    """What was uploaded, as decoded and turned upright.

    Attributes:
        sha256: of the uploaded bytes.
        format: PNG, JPEG, WEBP, BMP, TIFF, GIF, DICOM, PDF or HEIC.
        width, height: in pixels, after EXIF orientation.
        seen: the part of it that the network saw.
        page, pages, frame, frames: which was taken, from 1, and of how many; None where a file has none of the kind.
        window: the levels of a DICOM file that run from black to white, if a window says so.
        notes: sentences on what decoding had to decide, such as which frame was taken.
    """

    sha256: str
    format: str
    width: int
    height: int
    seen: Region
    page: int | None
    pages: int | None
    frame: int | None
    frames: int | None
    window: LevelWindow | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Result:
    """What every answer says of itself; `timing_ms` is milliseconds spent in each part of the work."""

    id: str
    created: datetime
    model: ModelFacts
    image: ImageFacts
    timing_ms: Mapping[str, float]


@dataclass(frozen=True)
class ClassProbability:
    """One class and its softmax probability."""

    name: str
    class_id: int
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The most probable class, and the `top` classes in falling order (it comes first)."""

    top: tuple[ClassProbability, ...]

    @property
    def best(self) -> ClassProbability:
        return self.top[0]


@dataclass(frozen=True)
class SecondOpinion:
    """What the model's plain twin makes of the same image; `agrees` where the most probable class is the same."""

    model: ModelFacts
    prediction: Prediction
    agrees: bool


@dataclass(frozen=True)
class InDistribution:
    """Whether the image is the model's business: how far it lies from the images that the model was made from.

    Attributes:
        score: as `app.networks.domain` has it, about half for a usual image of the model's kind.
        threshold: above it an image is called outside.
        percentile: of held-out images of the model's kind, how many in a hundred lie nearer.
        verdict: inside or outside.
        sentence: the verdict in words.
    """

    score: float
    threshold: float
    percentile: float
    verdict: Literal["inside", "outside"]
    sentence: str


@dataclass(frozen=True)
class DrawnPicture:
    """A picture of the uploaded image's width and height (a heatmap's colour bar comes on top of that).

    Attributes:
        png: the file.
        width, height: of the file, in pixels.
        scale: pixel level at the end of a heatmap's colour bar, else None.
        gain: by how much a perturbation was multiplied around mid-grey, else None.
        color_map: of a heatmap, else None.
        enlarged: of a heatmap, by which whole factor the upload was enlarged under it (the map is at the top left, the
            colour bar below), else None.
    """

    png: bytes
    width: int
    height: int
    scale: float | None = None
    gain: float | None = None
    color_map: str | None = None
    enlarged: int | None = None


@dataclass(frozen=True)
class PredictResult(Result):
    """Answer to `POST /v1/predictions`. `timing_ms` has the keys queued, decode, predict.

    Attributes:
        in_distribution: None where the model is not calibrated to tell.
        second_opinion: None where it was not asked for, or the model has no twin here.
    """

    prediction: Prediction
    in_distribution: InDistribution | None
    second_opinion: SecondOpinion | None
