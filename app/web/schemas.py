"""The JSON answers, field by field, and how a result becomes one."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from app.images.animation import AnimatedPicture
from app.service import results
from app.service.options import QUALITY_NOISE
from app.service.progress import Started
from app.web.file_names import (
    ORIGINAL,
    SHEET_FILE,
    animation_name,
    attacked_name,
    audit_picture_name,
    object_name,
    picture_name,
    sweep_picture_name,
)
from app.web.media_types import DICOM, PNG, WEBP

_Result = results.PredictResult | results.ExplainResult | results.MarginResult

_IN_DISTRIBUTION = "whether the image is of the kind that the model was made for; null where it cannot tell"
_TIMING = "milliseconds spent queued and in each part of the work"


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


class MethodCost(BaseModel):
    """What one target's map took: passes forward and back, and passes forward alone."""

    gradient_evaluations: int = Field(description="passes forward and back")
    forward_passes: int = Field(description="passes forward alone")


class AgreementTable(BaseModel):
    """How far the methods' maps agree, pair by pair, rows and columns in the order of `methods`."""

    methods: list[str]
    rank_correlation: list[list[float | None]] = Field(description="-1 to 1; null where a map is the same everywhere")
    ssim: list[list[float | None]] = Field(description="structural similarity, -1 to 1")


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

    in_distribution: InDistribution | None = Field(description=_IN_DISTRIBUTION)
    timing_ms: dict[str, float] = Field(description=_TIMING)


class MarginAnswer(Answer):
    """How much change the prediction of one image withstands: what was measured, and apart from it what is promised."""

    margin: Margin
    certificate: Certificate | None = Field(description="null unless it was asked for")
    timing_ms: dict[str, float] = Field(description=_TIMING)


class StoredObject(BaseModel):
    """What became of an object that was sent to the DICOMweb archive."""

    kind: str = Field(description="secondary_capture, parametric_map or report")
    target: str | None = Field(description="that it is of; null of a report")
    sop_instance_uid: str = Field(description="by which the archive has it")
    stored: bool = Field(description="whether the archive said that it stored it")
    sentence: str = Field(description="what it said, or what kept it from saying")


class ExplanationAnswer(ReadTwice):
    """Prediction and explanations of one image."""

    in_distribution: InDistribution | None = Field(description=_IN_DISTRIBUTION)
    explanations: list[Explanation]
    margin: Margin | None = Field(description="how much change the prediction withstands; null unless it was asked for")
    timing_ms: dict[str, float] = Field(description=_TIMING)
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
    timing_ms: dict[str, float] = Field(description=_TIMING)


def prediction_answer(result: results.PredictResult) -> dict[str, Any]:
    """A prediction as plain JSON values."""
    answer = PredictionAnswer(
        **_common(result),
        in_distribution=_in_distribution(result.in_distribution),
        second_opinion=_second_opinion(result.second_opinion),
    )
    return answer.model_dump(by_alias=True)


def margin_answer(result: results.MarginResult) -> dict[str, Any]:
    """A robustness margin as plain JSON values."""
    certificate = None if result.certificate is None else Certificate.model_validate(asdict(result.certificate))
    answer = MarginAnswer(**_common(result), margin=_margin(result.margin), certificate=certificate)
    return answer.model_dump(by_alias=True)


def _margin(margin: results.RobustnessMargin) -> Margin:
    return Margin.model_validate(asdict(margin))


def explanation_answer(result: results.ExplainResult, *, embed: bool = True) -> dict[str, Any]:
    """An explanation as plain JSON values, its pictures and arrays within (`embed`) or named as files beside it."""
    arrays = in_base64(result.arrays_npz) if embed and result.arrays_npz is not None else None
    explanations = [_explanation(one, embed=embed) for one in result.explanations]
    original = None if result.original is None else _picture(result.original, ORIGINAL, embed=embed)
    sheet = None if result.sheet is None else _picture(result.sheet, SHEET_FILE, embed=embed)
    kept_until = None if result.kept_until is None else _utc(result.kept_until)
    answer = ExplanationAnswer(
        **_common(result),
        second_opinion=_second_opinion(result.second_opinion),
        in_distribution=_in_distribution(result.in_distribution),
        explanations=explanations,
        margin=None if result.margin is None else _margin(result.margin),
        original=original,
        sheet=sheet,
        arrays=arrays,
        kept_until=kept_until,
        stored=[StoredObject.model_validate(asdict(one)) for one in result.stored],
    )
    return answer.model_dump(by_alias=True)


def audit_answer(result: results.AuditResult, *, embed: bool = True) -> dict[str, Any]:
    """An audit as plain JSON values, its pictures within (`embed`) or named as files beside it."""
    models = [_model_audit(one, embed=embed) for one in result.models]
    answer = AuditAnswer(**facts(result), models=models, timing_ms=_rounded(result.timing_ms))
    return answer.model_dump(by_alias=True)


def facts(result: _Result | results.AuditResult | Started) -> Mapping[str, Any]:
    """Id, time, model and image of an answer, as its fields."""
    return {
        "id": result.id,
        "created": _utc(result.created),
        "model": _model(result.model),
        "image": Image.model_validate(asdict(result.image)),
    }


def _model(model: results.ModelFacts) -> Model:
    size = InputSize(height=model.height, width=model.width, channels=model.channels, fit=model.fit)
    return Model(name=model.name, weights_sha256=model.weights_sha256, input=size)


def _second_opinion(second: results.SecondOpinion | None) -> SecondOpinion | None:
    if second is None:
        return None
    prediction = prediction_field(second.prediction)
    return SecondOpinion(model=_model(second.model), prediction=prediction, agrees=second.agrees)


def prediction_field(prediction: results.Prediction) -> Prediction:
    """The prediction, as an answer's field."""
    best = prediction.best
    return Prediction(
        class_name=best.name,
        class_id=best.class_id,
        probability=best.probability,
        top=_top(prediction.top),
    )


def _top(classes: Iterable[results.ClassProbability]) -> list[ClassProbability]:
    return [
        ClassProbability(class_name=one.name, class_id=one.class_id, probability=one.probability) for one in classes
    ]


def _in_distribution(known: results.InDistribution | None) -> InDistribution | None:
    return None if known is None else InDistribution.model_validate(asdict(known))


def _common(result: _Result) -> Mapping[str, Any]:
    timing_ms = _rounded(result.timing_ms)
    return {**facts(result), "prediction": prediction_field(result.prediction), "timing_ms": timing_ms}


def _rounded(timing_ms: Mapping[str, float]) -> dict[str, float]:
    return {part: round(milliseconds, 3) for part, milliseconds in timing_ms.items()}


def _model_audit(one: results.ModelAudit, *, embed: bool) -> ModelAudit:
    audits = []
    for attack in one.audits:
        names = {name: audit_picture_name(one, attack, name) for name in attack.pictures}
        said = {name: getattr(attack, name) for name in ExplanationAudit.model_fields if name != "pictures"}
        audits.append(ExplanationAudit(**said, pictures=_pictures(attack.pictures, names, embed=embed)))
    return ModelAudit(
        model=_model(one.model),
        prediction=prediction_field(one.prediction),
        image=_picture(one.image, attacked_name(one), embed=embed),
        audits=audits,
    )


def _explanation(one: results.TargetExplanation, *, embed: bool) -> Explanation:
    sweep = []
    for number, point in enumerate(one.sweep):
        names = {name: sweep_picture_name(one, name, number) for name in point.pictures}
        pictures = _pictures(point.pictures, names, embed=embed)
        sweep.append(SweepPoint(**_said(point, SweepPoint), pictures=pictures))
    names = {name: picture_name(one, name) for name in one.pictures}
    return Explanation(
        **_said(one, Explanation),
        methods={name: MethodCost.model_validate(asdict(cost)) for name, cost in one.methods.items()},
        agreement=None if one.agreement is None else AgreementTable.model_validate(asdict(one.agreement)),
        pictures=_pictures(one.pictures, names, embed=embed),
        objects={
            kind: DicomObject(
                media_type=DICOM,
                data=in_base64(content) if embed else None,
                file=None if embed else object_name(one, kind),
            )
            for kind, content in one.objects.items()
        },
        sweep=sweep,
        animation=None if one.animation is None else _animation(one.animation, animation_name(one), embed=embed),
        quality=None if one.quality is None else Quality.model_validate(asdict(one.quality)),
        judge=None if one.judge is None else _judge(one.judge),
        verdict=None if one.verdict is None else Verdict.model_validate(asdict(one.verdict)),
        tiles=[_tile(tile) for tile in one.tiles],
        most_moved_tile=None if one.most_moved_tile is None else Region(**asdict(one.most_moved_tile.box)),
    )


def _tile(tile: results.ExplainedTile) -> ExplainedTile:
    return ExplainedTile(**{**asdict(tile), "predicted": _top([tile.predicted])[0]})


def _judge(read: results.JudgeReading) -> JudgeReading:
    said = {name: getattr(read, name) for name in JudgeReading.model_fields if name != "model"}
    return JudgeReading(model=_model(read.model), **said)


def _said(one: results.TargetExplanation, answer: type[BaseModel]) -> Mapping[str, Any]:
    """What an explanation and a point of its sweep both say."""
    built = {"methods", "agreement", "top_after", "pictures", "objects", "sweep", "animation"}
    built |= {"quality", "judge", "verdict", "tiles", "most_moved_tile"}
    plain = {name: getattr(one, name) for name in answer.model_fields if name not in built}
    return {**plain, "top_after": _top(one.top_after)}


def _pictures(
    drawn: Mapping[str, results.DrawnPicture], file_names: Mapping[str, str], *, embed: bool
) -> dict[str, Picture]:
    return {name: _picture(picture, file_names[name], embed=embed) for name, picture in drawn.items()}


def _animation(film: AnimatedPicture, file: str, *, embed: bool) -> Animation:
    return Animation(
        media_type=WEBP,
        width=film.width,
        height=film.height,
        frames=film.frames,
        seconds=film.seconds,
        data=in_base64(film.webp) if embed else None,
        file=None if embed else file,
    )


def _picture(drawn: results.DrawnPicture, file: str, *, embed: bool) -> Picture:
    return Picture(
        media_type=PNG,
        width=drawn.width,
        height=drawn.height,
        data=in_base64(drawn.png) if embed else None,
        file=None if embed else file,
        scale=drawn.scale,
        gain=drawn.gain,
        color_map=drawn.color_map,
        enlarged=drawn.enlarged,
    )


def in_base64(content: bytes) -> str:
    """Bytes as JSON holds them."""
    return base64.b64encode(content).decode("ascii")


def _utc(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
