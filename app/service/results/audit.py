"""How far explanations could be made to lie."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.service.results.facts import DrawnPicture, ModelFacts, Prediction, Result


@dataclass(frozen=True)
class ExplanationAudit:
    """One attack on one method's explanation of an image. What it came to is measured on the picture that is sent.

    Attributes:
        goal: "move" keeps the class and moves the map, "keep" changes the class and keeps the map.
        found: whether a picture within the size has a class as the goal says; where none has, the rest is None.
        rank_correlation, ssim: of the maps of the image and of the changed image; None where a map is the same
            everywhere.
        center_distance_pixels: between their centres of mass, pixels of the network's input.
        perturbation_rms, perturbation_l2: of the change of the network's input.
        class_before, class_before_id, class_after, class_after_id: what the image and the changed image are read as.
        pictures: map_before, changed and map_after; the first alone where nothing was found.
    """

    method: str
    goal: str
    found: bool
    rank_correlation: float | None
    ssim: float | None
    center_distance_pixels: float | None
    perturbation_rms: float | None
    perturbation_l2: float | None
    class_before: str
    class_before_id: int
    class_after: str | None
    class_after_id: int | None
    pictures: Mapping[str, DrawnPicture]


@dataclass(frozen=True)
class ModelAudit:
    """The attacks on one model's explanations.

    Attributes:
        prediction: of the image that was attacked.
        image: that is: the upload at the network's input size, in 8 bits.
        audits: by method, then goal, as they were asked for.
    """

    model: ModelFacts
    prediction: Prediction
    image: DrawnPicture
    audits: tuple[ExplanationAudit, ...]


@dataclass(frozen=True)
class AuditResult(Result):
    """Answer to `POST /v1/audits`. `timing_ms` has the keys queued, decode, audit, render.

    Attributes:
        model: the one that was asked; `image` says what it saw.
        models: it comes first.
    """

    models: tuple[ModelAudit, ...]
