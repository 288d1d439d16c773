"""What an answer holds, before it becomes JSON, a multipart body, a zip or files in a folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

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
class TargetExplanation:
    """One target explained. Sizes and probabilities are measured on the explained picture: clamped, 8 bit.

    Attributes:
        role: "predicted", "runner_up", or "named" where the target is neither.
        against, against_id: the class that it was contrasted with, else None.
        margin_before, margin_after: logit of the target less that of the class it was contrasted with, else None.
        rho: RMS asked for.
        perturbation_rms, perturbation_l2: change of the network's input between the upload and the explained picture.
        steps: gradient steps made.
        cut_short: the deadline ended the search; where it had not begun, the image is as it was.
        converged: not cut short, and the loop's own RMS, before clamping, within 5% of rho (method fast: equal to it).
        goal_met: converged, and the target's probability (contrasted: the margin) moved in the direction asked for.
        changed_class_to: class predicted for the explained picture, None where it is the same as before.
        methods: what each method took, by name.
        agreement: of the methods' maps; None where there is but one.
        top_after: the most probable classes of the explained picture, in falling order.
        pictures: by name, in the order asked for; then `METHOD_heatmap` of each further method, where heatmaps are.
        sweep: the same at rising sizes, the first of them 0; empty unless asked for.
        animation: of the sweep's explained pictures, where it was asked for.
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


@dataclass(frozen=True)
class PredictResult:
    """Answer to `POST /v1/predictions`. `timing_ms` has the keys queued, decode, predict."""

    id: str
    created: datetime
    model: ModelFacts
    image: ImageFacts
    prediction: Prediction
    timing_ms: Mapping[str, float]


@dataclass(frozen=True)
class ExplainResult:
    """Answer to `POST /v1/explanations`. `timing_ms` has the keys queued, decode, explain, render.

    Attributes:
        original: the upload as it was read, 8 bit, where `original` was asked for.
        sheet: all targets side by side, where `sheet` was asked for.
        arrays_npz: an npz file where `arrays` was asked for: `image` (height, width, channels), `explained` and
            `perturbation` (targets, height, width, channels), float32, unclamped, at the network's input size; and
            `map_METHOD` of each further method, of the perturbation's shape and RMS.
        kept_until: when it is forgotten at the latest, None where it is not kept.
    """

    id: str
    created: datetime
    model: ModelFacts
    image: ImageFacts
    prediction: Prediction
    explanations: tuple[TargetExplanation, ...]
    timing_ms: Mapping[str, float]
    original: DrawnPicture | None
    sheet: DrawnPicture | None
    arrays_npz: bytes | None
    kept_until: datetime | None = None


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
