"""What every answer says of the model, the image and the prediction."""

from typing import Literal

from pydantic import BaseModel, Field

IN_DISTRIBUTION = "whether the image is of the kind that the model was made for; null where it cannot tell"
TIMING = "milliseconds spent queued and in each part of the work"


class InputSize(BaseModel):
    """What the network takes, in pixels, and how an image of another shape is fitted to it."""

    height: int = Field(description="pixels")
    width: int = Field(description="pixels")
    channels: int = Field(description="1 for grey, 3 for RGB")
    fit: str = Field(description="stretch, letterbox or center_crop")


class Model(BaseModel):
    """The network that answered."""

    name: str
    weights_sha256: str
    input: InputSize


class Region(BaseModel):
    """A rectangle in the uploaded image's own pixels."""

    left: int = Field(description="pixels of the upload, from 0")
    top: int = Field(description="pixels of the upload, from 0")
    width: int = Field(description="pixels of the upload")
    height: int = Field(description="pixels of the upload")


class LevelWindow(BaseModel):
    """Levels that run from black to white, in the file's own units, such as HU."""

    center: float = Field(description="level shown as middle grey, in the file's own units")
    width: float = Field(description="levels from black to white, in the file's own units")


class Image(BaseModel):
    """The upload as decoded and turned upright; `seen` is the part that the network saw."""

    sha256: str
    format: str
    width: int = Field(description="pixels, as decoded and turned upright")
    height: int = Field(description="pixels, as decoded and turned upright")
    seen: Region
    page: int | None = Field(description="of a PDF or TIFF, from 1; null for what has no pages")
    pages: int | None = Field(description="how many the file has; null for what has no pages")
    frame: int | None = Field(description="of any other file, from 1; null for what has pages")
    frames: int | None = Field(description="how many the file has; null for what has pages")
    window: LevelWindow | None = Field(description="of a DICOM file's grey levels, null where none was used")
    notes: list[str] = Field(description="what decoding had to decide, such as which frame was taken")


class ClassProbability(BaseModel):
    """One class and its softmax probability."""

    class_name: str = Field(serialization_alias="class")
    class_id: int = Field(description="place of the class among the model's, from 0")
    probability: float = Field(description="softmax, 0 to 1")


class Prediction(ClassProbability):
    """The most probable class, and the most probable ones in falling order."""

    top: list[ClassProbability]


class SecondOpinion(BaseModel):
    """What the model's plain twin, trained without attacks, makes of the same image; it is not what is explained."""

    model: Model
    prediction: Prediction
    agrees: bool = Field(description="whether its most probable class is the model's")


class InDistribution(BaseModel):
    """Whether the image is the model's business."""

    score: float = Field(
        description="how far the image lies from those that the model was made from, in units of what is usual: the"
        " larger of two distances (Mahalanobis), of the network's features and of plain statistics of the picture"
    )
    threshold: float = Field(description="above it an image is outside; 95 in 100 held-out images lie under it")
    percentile: float = Field(description="how many in 100 held-out images of the model's kind lie nearer, 0 to 100")
    verdict: Literal["inside", "outside"]
    sentence: str = Field(description="the verdict in words")


class Picture(BaseModel):
    """A picture: inside the JSON as base64 (`data`), or beside it under the name `file`."""

    media_type: str
    width: int = Field(description="pixels of the picture")
    height: int = Field(description="pixels of the picture, a heatmap's colour bar among them")
    data: str | None = Field(description="base64; null where the picture is a file beside this JSON")
    file: str | None = Field(description="the name of its part or file; null where data has it")
    scale: float | None = Field(description="pixel level at the end of a heatmap's colour bar")
    gain: float | None = Field(description="factor by which a perturbation is shown, around mid-grey")
    color_map: str | None = Field(description="of a heatmap")
    enlarged: int | None = Field(description="whole factor by which a heatmap shows the upload, its bar below the map")


class Answer(BaseModel):
    """What every answer about an image begins with."""

    id: str
    created: str
    model: Model
    image: Image
    prediction: Prediction


class ReadTwice(Answer):
    """An answer with a second opinion."""

    second_opinion: SecondOpinion | None = Field(
        description="of the model's plain twin; null where it has none here, or second_opinion was false"
    )


class PredictionAnswer(ReadTwice):
    """Classes and probabilities of one image."""

    in_distribution: InDistribution | None = Field(description=IN_DISTRIBUTION)
    timing_ms: dict[str, float] = Field(description=TIMING)
