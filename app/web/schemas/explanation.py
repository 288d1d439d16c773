"""An explanation, with its pictures, sizes, tiles and files."""

from pydantic import BaseModel, Field

from app.web.schemas.facts import IN_DISTRIBUTION, TIMING, ClassProbability, InDistribution, Picture, ReadTwice, Region
from app.web.schemas.margin import Margin
from app.web.schemas.quality import AgreementTable, JudgeReading, MethodCost, Quality, Verdict


class Animation(BaseModel):
    """A film of the explained pictures, the upload first, that starts again at its end."""

    media_type: str
    width: int = Field(description="pixels; small pictures are enlarged by a whole factor")
    height: int = Field(description="pixels")
    frames: int = Field(description="as many as the sweep has sizes")
    seconds: float = Field(description="before it starts again")
    data: str | None = Field(description="base64; null where the film is a file beside this JSON")
    file: str | None = Field(description="the name of its part or file; null where data has it")


class SweepPoint(BaseModel):
    """The target explained at one size of a sweep, measured as the explanation is."""

    rho: float = Field(description="RMS size asked for, pixels in [0, 1]; 0 is the upload itself")
    probability_before: float = Field(description="of the target, for the upload")
    probability_after: float = Field(description="of the target, for the explained picture of this size")
    margin_before: float | None = Field(description="logit of the target less that of against; null without contrast")
    margin_after: float | None = Field(description="the same for the explained picture of this size")
    perturbation_rms: float = Field(description="RMS size reached, pixels in [0, 1]")
    perturbation_l2: float = Field(description="L2 size reached, pixels in [0, 1]")
    steps: int = Field(description="gradient steps made")
    cut_short: bool
    converged: bool
    goal_met: bool
    changed_class_to: str | None
    top_after: list[ClassProbability] = Field(description="of the explained picture of this size")
    pictures: dict[str, Picture] = Field(
        description="explained, where include names sweep: the picture with its longer side shrunk to 512 pixels"
    )


class DicomObject(BaseModel):
    """A DICOM file for the study of the image that was explained."""

    media_type: str
    data: str | None = Field(description="base64; null where the object is a file beside this JSON")
    file: str | None = Field(description="the name of its part or file; null where data has it")


class ExplainedTile(BaseModel):
    """One tile: of the upload, and of the explained picture that is sent, cut out and fitted to the network again."""

    box: Region = Field(description="where it lies, in the upload's pixels")
    predicted: ClassProbability = Field(description="what the upload's tile, seen by itself, is read as")
    probability_before: float = Field(description="of the target, for the upload's tile")
    probability_after: float = Field(description="of the target, for the explained picture's tile")
    changed_class_to: str | None = Field(description="class of the explained tile, null where it is the same")
    perturbation_rms: float = Field(
        description="RMS size of the change of the network's input, pixels in [0, 1]: not rho where tiles overlap"
    )
    perturbation_l2: float = Field(description="the same, L2")
    steps: int = Field(description="gradient steps made")
    converged: bool = Field(description="the search in this tile ended within 5% of rho, and was not cut short")


class Explanation(BaseModel):
    """One target explained; measured on the explained picture that is sent, clamped and rounded to 8 bits."""

    target: str
    target_id: int = Field(description="place of the target among the model's classes, from 0")
    role: str = Field(description="predicted, runner_up or named")
    against: str | None = Field(description="the class that the target was contrasted with, null without contrast")
    against_id: int | None = Field(description="its place among the model's classes, from 0")
    direction: str = Field(description="encourage or discourage; of a counterfactual, discourage where it leads away")
    method: str
    probability_before: float = Field(description="of the target, for the upload; softmax, 0 to 1")
    probability_after: float = Field(description="of the target, for the explained picture; softmax, 0 to 1")
    margin_before: float | None = Field(description="logit of the target less that of against; null without contrast")
    margin_after: float | None = Field(description="the same for the explained picture")
    rho: float = Field(description="RMS size asked for, pixels in [0, 1]; of a counterfactual, the size found")
    perturbation_rms: float = Field(description="RMS size reached, at the network's input, pixels in [0, 1]")
    perturbation_l2: float = Field(description="L2 size reached, pixels in [0, 1]")
    steps: int = Field(description="gradient steps made")
    cut_short: bool = Field(description="with partial: the time was over before the search was done")
    converged: bool = Field(
        description="the search was not cut short, and ended within 5% of rho; a counterfactual: it was found"
    )
    goal_met: bool = Field(
        description="converged, and the probability (contrasted: the margin) moved as asked for; a counterfactual: the"
        " picture that is sent is read as another class (as the target, where that is not what was predicted)"
    )
    changed_class_to: str | None = Field(description="class of the explained picture, null where it stays the same")
    methods: dict[str, MethodCost] = Field(description="what each method took, adversarial first")
    agreement: AgreementTable | None = Field(description="of the methods' maps; null where there is but one")
    top_after: list[ClassProbability] = Field(
        description="of the explained picture, as prediction.top is of the upload"
    )
    pictures: dict[str, Picture] = Field(
        description="heatmap, perturbation, explained, and of a sweep film_strip and curve: those asked for; and"
        " METHOD_heatmap of each further method"
    )
    objects: dict[str, DicomObject] = Field(description="secondary_capture, parametric_map: those asked for")
    sweep: list[SweepPoint] = Field(description="at rising sizes, the first of them 0; empty unless asked for")
    animation: Animation | None = Field(description="of the sweep, where include names it")
    quality: Quality | None = Field(
        description="how good the maps are; null unless asked for, and with partial where the time was over first"
    )
    judge: JudgeReading | None = Field(
        description="with quality: what another network, by default the model's plain twin, reads in the explained"
        " picture; null where there is none"
    )
    verdict: Verdict | None = Field(description="how far the explanation is to be relied on; null if it was not judged")
    tiles: list[ExplainedTile] = Field(
        description="row by row, where tile was given. Probabilities and perturbation sizes above are then of the"
        " whole image (or region), shown to the network at once with the joined change; rho is of each tile, steps the"
        " most of any tile, and converged says that all tiles did"
    )
    most_moved_tile: Region | None = Field(
        description="where the target's probability moved farthest as asked for, in the upload's pixels; null without"
        " tiles"
    )


class StoredObject(BaseModel):
    """What became of an object that was sent to the DICOMweb archive."""

    kind: str = Field(description="secondary_capture, parametric_map or report")
    target: str | None = Field(description="that it is of; null of a report")
    sop_instance_uid: str = Field(description="by which the archive has it")
    stored: bool = Field(description="whether the archive said that it stored it")
    sentence: str = Field(description="what it said, or what kept it from saying")


class ExplanationAnswer(ReadTwice):
    """Prediction and explanations of one image."""

    in_distribution: InDistribution | None = Field(description=IN_DISTRIBUTION)
    explanations: list[Explanation]
    margin: Margin | None = Field(description="how much change the prediction withstands; null unless it was asked for")
    timing_ms: dict[str, float] = Field(description=TIMING)
    original: Picture | None = Field(
        description="the upload as it was read: upright, on white, 8 bit; null unless include names original"
    )
    sheet: Picture | None = Field(
        description="every target side by side, its heatmap and its explained picture; null unless include names sheet"
    )
    arrays: str | None = Field(
        description="where include names arrays: an npz file in base64 with image (height, width, channels), explained"
        " and perturbation (targets, height, width, channels), float32, unclamped, at the network's input size"
    )
    kept_until: str | None = Field(
        description="until when GET of its id gives it again, unless others need the room; null where it is not kept"
    )
    stored: list[StoredObject] = Field(
        description="of store: each object of each target, and the report; empty without it"
    )
