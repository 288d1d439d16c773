"""What an answer holds, before it becomes JSON, a multipart body, a zip or files in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from app.images.animation import AnimatedPicture
from app.networks.description import ModelDescription
from app.service.options import ExplainOptions


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
class ChosenTarget:
    """A class that is explained; `role` as in `TargetExplanation`."""

    target: str
    target_id: int
    role: str


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
class ExplainedTile:
    """One tile of an explanation by tiles, cut out of the upload and of the picture that is sent, and fitted by itself.

    Attributes:
        box: where it lies.
        predicted: what the upload's tile is read as.
        probability_before, probability_after: of the target.
        changed_class_to: class of the explained picture's tile, None where it is the same as before.
        perturbation_rms, perturbation_l2: change of the network's input between the two.
        steps: gradient steps made.
        converged: as of `TargetExplanation`.
    """

    box: Region
    predicted: ClassProbability
    probability_before: float
    probability_after: float
    changed_class_to: str | None
    perturbation_rms: float
    perturbation_l2: float
    steps: int
    converged: bool


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


@dataclass(frozen=True)
class TargetExplanation:
    """One target explained. Sizes and probabilities are measured on the explained picture: clamped, 8 bit.

    Attributes:
        role: "predicted", "runner_up", or "named" where the target is neither.
        against, against_id: the class that it was contrasted with, else None.
        margin_before, margin_after: logit of the target less that of the class it was contrasted with, else None.
        rho: RMS asked for; of a counterfactual, of the change found.
        perturbation_rms, perturbation_l2: change of the network's input between the upload and the explained picture.
        steps: gradient steps made.
        cut_short: the deadline ended the search; where it had not begun, the image is as it was.
        converged: not cut short, and the loop's own RMS, before clamping, within 5% of rho (method fast: equal to it);
            of a counterfactual, that one was found.
        goal_met: converged, and the target's probability (contrasted: the margin) moved in the direction asked for; of
            a counterfactual, that the explained picture is one.
        changed_class_to: class predicted for the explained picture, None where it is the same as before.
        methods: what each method took, by name.
        agreement: of the methods' maps; None where there is but one.
        top_after: the most probable classes of the explained picture, in falling order.
        pictures: by name, in the order asked for; then `METHOD_heatmap` of each further method, where heatmaps are.
        sweep: the same at rising sizes, the first of them 0; empty unless asked for.
        animation: of the sweep's explained pictures, where it was asked for.
        objects: DICOM files by kind, secondary_capture and parametric_map: those asked for.
        quality: of its maps; None where it was not asked for, or the time was over first.
        judge: what another network reads in the explained picture; None where none was asked.
        verdict: how far it is to be relied on; None at the further sizes of a sweep.
        tiles: row by row; empty unless it is an explanation by tiles. Then probabilities and sizes above are of the
            whole picture seen at once, `rho` is of each tile, `steps` the most of any tile, and `converged` all did.
    """

    target: str
    target_id: int
    role: str
    against: str | None
    against_id: int | None
    direction: str
    method: str
    probability_before: float
    probability_after: float
    margin_before: float | None
    margin_after: float | None
    rho: float
    perturbation_rms: float
    perturbation_l2: float
    steps: int
    cut_short: bool
    converged: bool
    goal_met: bool
    changed_class_to: str | None
    methods: Mapping[str, MethodCost]
    agreement: AgreementTable | None
    top_after: tuple[ClassProbability, ...]
    pictures: Mapping[str, DrawnPicture]
    sweep: "tuple[TargetExplanation, ...]" = ()
    animation: AnimatedPicture | None = None
    objects: Mapping[str, bytes] = field(default_factory=dict)
    quality: ExplanationQuality | None = None
    judge: JudgeReading | None = None
    verdict: Verdict | None = None
    tiles: tuple[ExplainedTile, ...] = ()

    @property
    def most_moved_tile(self) -> ExplainedTile | None:
        """The tile whose probability moved farthest in the direction asked for; None without tiles."""
        sign = 1 if self.direction == "encourage" else -1
        return max(self.tiles, key=lambda one: sign * (one.probability_after - one.probability_before), default=None)


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
class MarginResult:
    """Answer to `POST /v1/margins`. `timing_ms` has the keys queued, decode, margin; certificate where it was made."""

    id: str
    created: datetime
    model: ModelFacts
    image: ImageFacts
    prediction: Prediction
    margin: RobustnessMargin
    certificate: RadiusCertificate | None
    timing_ms: Mapping[str, float]


@dataclass(frozen=True)
class PredictResult:
    """Answer to `POST /v1/predictions`. `timing_ms` has the keys queued, decode, predict.

    Attributes:
        in_distribution: None where the model is not calibrated to tell.
        second_opinion: None where it was not asked for, or the model has no twin here.
    """

    id: str
    created: datetime
    model: ModelFacts
    image: ImageFacts
    prediction: Prediction
    in_distribution: InDistribution | None
    second_opinion: SecondOpinion | None
    timing_ms: Mapping[str, float]


@dataclass(frozen=True)
class StoredObject:
    """What became of an object that was sent to the archive.

    Attributes:
        kind: secondary_capture, parametric_map or report.
        target: that it is of, None of a report.
        sop_instance_uid: by which the archive has it.
        stored: whether the archive said that it stored it.
        sentence: what it said, or what kept it from saying.
    """

    kind: str
    target: str | None
    sop_instance_uid: str
    stored: bool
    sentence: str


@dataclass(frozen=True)
class ExplainResult:
    """Answer to `POST /v1/explanations`. `timing_ms` has the keys queued, decode, explain, render.

    Attributes:
        in_distribution: None where the model is not calibrated to tell.
        margin: how much change the answer withstands, where it was asked for.
        second_opinion: as of a prediction.
        original: the upload as it was read, 8 bit, where `original` was asked for.
        sheet: all targets side by side, where `sheet` was asked for.
        arrays_npz: an npz file where `arrays` was asked for: `image` (height, width, channels), `explained` and
            `perturbation` (targets, height, width, channels), float32, unclamped, at the network's input size; and
            `map_METHOD` of each further method, of the perturbation's shape and RMS.
        kept_until: when it is forgotten at the latest, None where it is not kept.
        stored: what became of each object that was to be stored in the archive; none where `store` was not given.
    """

    id: str
    created: datetime
    model: ModelFacts
    image: ImageFacts
    prediction: Prediction
    in_distribution: InDistribution | None
    second_opinion: SecondOpinion | None
    explanations: tuple[TargetExplanation, ...]
    timing_ms: Mapping[str, float]
    original: DrawnPicture | None
    sheet: DrawnPicture | None
    arrays_npz: bytes | None
    margin: RobustnessMargin | None = None
    kept_until: datetime | None = None
    stored: tuple[StoredObject, ...] = ()


@dataclass(frozen=True)
class Record:
    """One explanation with what it was made of: everything that can be told of it later.

    Attributes:
        upload: the image's bytes, as they came.
        options: as they were asked for.
        description: of the model that answered, which may have been reloaded since.
    """

    result: ExplainResult
    upload: bytes
    options: ExplainOptions
    description: ModelDescription


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
class AuditResult:
    """Answer to `POST /v1/audits`. `timing_ms` has the keys queued, decode, audit, render.

    Attributes:
        model: the one that was asked; `image` says what it saw.
        models: it comes first.
    """

    id: str
    created: datetime
    model: ModelFacts
    image: ImageFacts
    models: tuple[ModelAudit, ...]
    timing_ms: Mapping[str, float]
