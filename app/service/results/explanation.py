"""An explanation, with its pictures, sizes, tiles and files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.images.animation import AnimatedPicture
from app.networks.description import ModelDescription
from app.service.options import ExplainOptions
from app.service.results.facts import (
    ClassProbability,
    DrawnPicture,
    InDistribution,
    Prediction,
    Region,
    Result,
    SecondOpinion,
)
from app.service.results.margin import RobustnessMargin
from app.service.results.quality import AgreementTable, ExplanationQuality, JudgeReading, MethodCost, Verdict


@dataclass(frozen=True)
class ChosenTarget:
    """A class that is explained; `role` as in `TargetExplanation`."""

    target: str
    target_id: int
    role: str


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
class ExplainResult(Result):
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

    prediction: Prediction
    in_distribution: InDistribution | None
    second_opinion: SecondOpinion | None
    explanations: tuple[TargetExplanation, ...]
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
