"""What a network is worth: accuracy, how far it withstands attack, and whether its explanations do what they say.

Batches are measured one by one and kept in a ledger; random numbers are drawn anew for each batch from the seed, so
that a run that was stopped and picked up equals one that was not.
"""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import cast

import torch
from torch import Tensor, nn

from app.adversarial.explain import PAPER_RHO
from app.adversarial.loop import Network
from app.adversarial.sizes import l2_per_rms
from app.training.data import Images
from app.training.measures.areas import Areas, SmallestChanges, areas, ratio_of_areas, smallest_changes
from app.training.measures.classification import Classification, classification
from app.training.measures.estimates import Estimate, share_of
from app.training.measures.explanations import (
    READABILITY_RHO,
    ExplanationMeasures,
    Readability,
    explain_both_ways,
    explanation_measures,
    read_by_stranger,
    readability,
)
from app.training.measures.fixed_sizes import Effort, RobustAccuracy, attack_at_sizes, robust_accuracies
from app.training.measures.ledger import Ledger
from app.training.measures.margins import Margins, margins, smallest_of_prediction

PARTS = ("attack", "btr", "worst_case", "margins", "fixed_sizes", "explanations")
"""What a plan may leave out; the attack, which is the paper's, is part of the worst case and never left out."""

AUTHORS_SEED = 1776  # the authors' test images are the first of this permutation

Report = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and how many there are."""


@dataclass(frozen=True)
class Plan:
    """What is measured; the defaults are a quick look.

    Attributes:
        images: how many are attacked and explained: the first of `torch.manual_seed(seed); torch.randperm(n)`, as the
            authors chose theirs. Accuracy is taken over the whole split.
        steps: of each minimal attack; the paper's 450 find somewhat smaller changes.
        restarts: further minimal attacks for the worst case, from random changes.
        sizes_rms: at which robust accuracy is measured, growing; may be empty.
        effort: of the attacks at those sizes.
        readability_rho: RMS of the explanations shown to a judge.
        batch_size: images at a time.
        seed: of the choice of images and of everything random.
        parts: of `PARTS`, what is measured besides accuracy.
    """

    images: int = 200
    steps: int = 100
    restarts: int = 0
    sizes_rms: tuple[float, ...] = (0.005, 0.01, 0.02, 0.03)
    effort: Effort = field(default_factory=Effort)
    readability_rho: float = READABILITY_RHO
    batch_size: int = 50
    seed: int = AUTHORS_SEED
    parts: tuple[str, ...] = PARTS


@dataclass(frozen=True)
class Subject:
    """A network to be measured, or to judge.

    Attributes:
        name: for people.
        network: images in [0, 1] to logits, frozen and in evaluation mode.
        fast: the same for the loop, where something faster than the network stands in for it.
        key: of its weights, such as their SHA-256.
        classes: their names.
        rho: RMS of its explanations.
        temperature: that its logits were divided by after training; None where they were not, or nobody knows.
    """

    name: str
    network: nn.Module
    key: str
    classes: tuple[str, ...]
    rho: float = PAPER_RHO
    fast: Network | None = None
    temperature: float | None = None

    @property
    def climbed(self) -> Network:
        """What the loop climbs."""
        return self.fast or self.network


@dataclass(frozen=True)
class Measures:
    """Scores of one network; see the parts for what they mean.

    Attributes:
        classification: on the whole test split.
        areas: by minimal attacks, on the images of the plan.
        margins: smallest changes of what is predicted, on the same images.
        robust_accuracy: at fixed sizes, on the same images.
        explanations: on the same images.
        readability: on the same images, where a judge was given.
        plan: what was asked for.
    """

    classification: Classification
    areas: Areas
    margins: Margins | None
    robust_accuracy: tuple[RobustAccuracy, ...]
    explanations: ExplanationMeasures | None
    readability: Readability | None
    plan: Plan


@dataclass(frozen=True)
class Evaluation:
    """Measures, and what is behind them, one for each image.

    Attributes:
        measures: the scores.
        changes: the sizes, of the plan's images.
        predicted: class ids, int64, of the whole test split.
        labels: of the whole test split, too.
    """

    measures: Measures
    changes: SmallestChanges
    predicted: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Comparison:
    """Two networks on the same images.

    Attributes:
        beside: the name of the other.
        worst_case_ratio: of the first one's worst-case area to the other's; its interval is a bootstrap's.
        images: how many.
        agreement: share of the whole test split that both read as the same class.
        right_where_agreed: share of those that is read rightly.
        right_where_apart, other_right_where_apart: shares of the rest that the first, and the other, reads rightly.

    Shares of no images are None.
    """

    beside: str
    worst_case_ratio: Estimate
    images: int
    agreement: Estimate
    right_where_agreed: Estimate | None
    right_where_apart: Estimate | None
    other_right_where_apart: Estimate | None


def ledger_options(test: Images, plan: Plan) -> dict[str, object]:
    """What the results of a batch depend on besides the networks: the plan but for its number of images, the pixels."""
    pixels = hashlib.sha256(test.images.numpy().tobytes() + test.labels.numpy().tobytes()).hexdigest()
    options = {**asdict(plan), "test_split": pixels}
    del options["images"]  # more images are more batches
    return options


def evaluate(
    subject: Subject,
    test: Images,
    plan: Plan,
    ledger: Ledger,
    *,
    judge: Subject | None = None,
    report: Report = lambda what, done, of: None,
) -> Evaluation:
    """Measure a network on a test split.

    Args:
        subject: the network.
        test: the whole test split.
        plan: what is measured.
        ledger: keeps finished batches; of `ledger_options`.
        judge: another network, to which explanations are shown.
        report: told of every batch done.
    """
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(plan.seed))[: plan.images]
    batches = _Batches(subject, test, plan, ledger, report)
    probabilities = batches.run("classifying", torch.arange(len(test)), _classify)
    changes = SmallestChanges(**batches.run("attacking", chosen, _find_smallest))
    nearest = fixed = explained = read = None
    if "margins" in plan.parts:
        nearest = batches.run("finding the nearest flips", chosen, _find_nearest)
    if "fixed_sizes" in plan.parts and plan.sizes_rms:
        fixed = batches.run("attacking at fixed sizes", chosen, _attack_at_sizes)
    if "explanations" in plan.parts:
        explained = batches.run("explaining", chosen, _explain)
    if judge is not None:
        shown = batches.run(f"showing to {judge.key}", chosen, _show_to(judge), "showing to the judge")
        read = readability(shown, judge.name, plan.readability_rho)
    per_rms, classes = l2_per_rms(*test.images.shape[1:]), len(subject.classes)
    measures = Measures(
        classification=classification(
            probabilities["probabilities"], test.labels, subject.classes, subject.temperature
        ),
        areas=areas(changes, classes, per_rms, steps=plan.steps, restarts=plan.restarts, seed=plan.seed),
        margins=margins(**nearest) if nearest else None,
        robust_accuracy=robust_accuracies(fixed["standing"], plan.sizes_rms, per_rms) if fixed else (),
        explanations=explanation_measures(explained, subject.rho) if explained else None,
        readability=read,
        plan=plan,
    )
    return Evaluation(measures, changes, probabilities["probabilities"].argmax(1), test.labels)


def compare(ours: Evaluation, theirs: Evaluation, beside: str, classes: int) -> Comparison:
    """Our worst-case area against another network's, measured by the same plan on the same images; where they agree."""
    agree = ours.predicted == theirs.predicted
    right, other_right = ours.predicted == ours.labels, theirs.predicted == theirs.labels
    return Comparison(
        beside=beside,
        worst_case_ratio=ratio_of_areas(ours.changes, theirs.changes, classes, ours.measures.plan.seed),
        images=ours.measures.areas.images,
        agreement=share_of(agree),
        right_where_agreed=_share_or_none(right[agree]),
        right_where_apart=_share_or_none(right[~agree]),
        other_right_where_apart=_share_or_none(other_right[~agree]),
    )


def _share_or_none(some: Tensor) -> Estimate | None:
    return share_of(some) if len(some) else None


def side_by_side(measured: Mapping[str, Measures]) -> list[dict[str, object]]:
    """One row for each measure, with a column for each network, by name, as plain JSON."""
    columns = {name: _headlines(measures) for name, measures in measured.items()}
    names = dict.fromkeys(name for column in columns.values() for name in column)
    return [{"measure": name} | {who: as_plain(column.get(name)) for who, column in columns.items()} for name in names]


def _headlines(measures: Measures) -> dict[str, object]:
    of_areas, of_two, read = measures.areas, measures.classification.two_classes, measures.readability
    found: dict[str, object] = {"accuracy": measures.classification.accuracy}
    if of_two is not None:
        found |= {"AUROC": of_two.auroc, "sensitivity": of_two.sensitivity, "specificity": of_two.specificity}
    of_attacks = {
        "attack ARA": of_areas.attack_ara,
        "BTR ARA": of_areas.btr_ara,
        "worst-case ARA": of_areas.worst_case_ara,
        "worst-case ARA, L2": of_areas.worst_case_ara_l2,
    }
    found["expected calibration error"] = measures.classification.expected_calibration_error
    if measures.classification.expected_calibration_error_uncalibrated is not None:
        found["the same, uncalibrated"] = measures.classification.expected_calibration_error_uncalibrated
    found |= {name: area for name, area in of_attacks.items() if area is not None}
    for point in measures.robust_accuracy:
        found[f"robust accuracy at RMS {point.rms:g}, L2 {point.l2:.3g}"] = point.standing
    if read is not None:
        found[f"read before, by {read.judge}"] = read.read_before
        found[f"read after, by {read.judge}"] = read.read_after
    return found


def scores_of(measures: Measures, command: str) -> dict[str, object]:
    """Measures as plain JSON: accuracy first, where lists of models look for it, and what was run last."""
    plain = cast(dict[str, object], as_plain(measures))
    run = cast(dict[str, object], plain.pop("plan"))
    return {"accuracy": measures.classification.accuracy.value, **plain, "runs": [{"command": command, **run}]}


def as_plain(measured: object) -> object:
    """A dataclass of measures as JSON takes it: tuples as lists, and null where there is no number."""
    if hasattr(measured, "__dataclass_fields__"):
        return {part.name: as_plain(getattr(measured, part.name)) for part in fields(measured)}  # type: ignore[arg-type]  # it is one
    if isinstance(measured, Mapping):
        return {str(name): as_plain(value) for name, value in measured.items()}
    if isinstance(measured, tuple | list):
        return [as_plain(value) for value in measured]
    return None if isinstance(measured, float) and not math.isfinite(measured) else measured


@dataclass(frozen=True)
class _Batches:
    subject: Subject
    test: Images
    plan: Plan
    ledger: Ledger
    report: Report

    def run(self, stage: str, index: Tensor, measure: "_Measure", said: str = "") -> dict[str, Tensor]:
        """Apply a measure to the test images at `index` batch by batch, and put the batches' tensors together."""
        device = next(self.subject.network.parameters()).device
        parts = []
        for start in range(0, len(index), self.plan.batch_size):
            mine = index[start : start + self.plan.batch_size]

            def work(mine: Tensor = mine, start: int = start) -> Mapping[str, Tensor]:
                images, label = self.test.floats(mine).to(device), self.test.labels[mine].to(device)
                random = torch.Generator().manual_seed(self.plan.seed + start)
                return measure(self.subject, images, label, self.plan, random)

            parts.append(self.ledger.once(f"{self.subject.key}/{stage}/{start}+{len(mine)}", work))
            self.report(said or stage, start + len(mine), len(index))
        return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


_Measure = Callable[[Subject, Tensor, Tensor, Plan, torch.Generator], Mapping[str, Tensor]]


def _classify(
    subject: Subject, images: Tensor, label: Tensor, plan: Plan, random: torch.Generator
) -> dict[str, Tensor]:
    del label, plan, random
    with torch.no_grad():
        return {"probabilities": subject.network(images).softmax(1)}


def _find_smallest(
    subject: Subject, images: Tensor, label: Tensor, plan: Plan, random: torch.Generator
) -> dict[str, Tensor]:
    found = smallest_changes(
        subject.climbed,
        images,
        label,
        steps=plan.steps,
        restarts=plan.restarts,
        random=random,
        btr="btr" in plan.parts,
        worst_case="worst_case" in plan.parts,
    )
    sizes = {part.name: getattr(found, part.name) for part in fields(found)}
    return {name: size for name, size in sizes.items() if size is not None}


def _find_nearest(
    subject: Subject, images: Tensor, label: Tensor, plan: Plan, random: torch.Generator
) -> dict[str, Tensor]:
    del label, plan, random
    return smallest_of_prediction(subject.climbed, images)


def _attack_at_sizes(
    subject: Subject, images: Tensor, label: Tensor, plan: Plan, random: torch.Generator
) -> dict[str, Tensor]:
    return {"standing": attack_at_sizes(subject.network, images, label, plan.sizes_rms, plan.effort, random)}


def _explain(subject: Subject, images: Tensor, label: Tensor, plan: Plan, random: torch.Generator) -> dict[str, Tensor]:
    del plan, random
    return explain_both_ways(subject.climbed, images, label, subject.rho)


def _show_to(judge: Subject) -> _Measure:
    def show(subject: Subject, images: Tensor, label: Tensor, plan: Plan, random: torch.Generator) -> dict[str, Tensor]:
        del label, random
        return read_by_stranger(subject.climbed, judge.network, images, plan.readability_rho)

    return show
