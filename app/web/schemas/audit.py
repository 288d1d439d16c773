"""Attacks on explanations."""

from pydantic import BaseModel, Field

from app.web.schemas.facts import TIMING, Image, Model, Picture, Prediction


class ExplanationAudit(BaseModel):
    """One attack on one method's explanation; measured on the changed picture that is sent, 8 bit."""

    method: str
    goal: str = Field(description="move: keep the class and move the map; keep: change the class and keep the map")
    found: bool = Field(
        description="whether a picture within size_rms has a class as the goal says; where none has, the figures are"
        " null"
    )
    rank_correlation: float | None = Field(
        description="of the map after with the map before, pixel by pixel: 1 is the same map, 0 has nothing in common,"
        " -1 is the opposite; null where a map is the same everywhere"
    )
    ssim: float | None = Field(description="structural similarity of the two maps, -1 to 1")
    center_distance_pixels: float | None = Field(
        description="between the maps' centres of mass, in pixels of the network's input"
    )
    perturbation_rms: float | None = Field(description="RMS size of the change, pixels in [0, 1]")
    perturbation_l2: float | None = Field(description="L2 size of the change, pixels in [0, 1]")
    class_before: str = Field(description="what the image is read as, which the map before is of")
    class_before_id: int = Field(description="its place among the model's classes, from 0")
    class_after: str | None = Field(description="what the changed image is read as, which the map after is of")
    class_after_id: int | None = Field(description="its place among the model's classes, from 0")
    pictures: dict[str, Picture] = Field(
        description="map_before, changed (the image with the change: upload it again) and map_after, at the network's"
        " input size; each map on its own scale; map_before alone where nothing was found"
    )


class ModelAudit(BaseModel):
    """The attacks on one model's explanations of the image."""

    model: Model
    prediction: Prediction = Field(description="of the image that was attacked")
    image: Picture = Field(description="that is: the upload at the network's input size, 8 bit")
    audits: list[ExplanationAudit] = Field(description="by method, then goal, as they were asked for")


class AuditAnswer(BaseModel):
    """How far explanations of one image can be made to lie."""

    id: str
    created: str
    model: Model
    image: Image
    models: list[ModelAudit] = Field(description="the model asked, then its twin or the one asked for beside it")
    timing_ms: dict[str, float] = Field(description=TIMING)
