"""One upload, from its pixels to its explanations: the way is walked from top to bottom of this file."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import torch

from app.engine.device import Place
from app.engine.token import WorkToken
from app.images.decode import DecodeLimits
from app.images.png import PictureRoom
from app.networks.checkpoint import Checkpoint
from app.service.catalogue import Served
from app.service.clock import Clock
from app.service.explaining.beside import Beside, explain_beside
from app.service.explaining.dicom import DicomObjects
from app.service.explaining.judge import read_by_judge
from app.service.explaining.judging import judge_all
from app.service.explaining.pictures import Style, shrink_upload
from app.service.explaining.quality import Subject, measure_quality, with_quality
from app.service.explaining.search import AllSent, Searched, draw_searched, search, with_tiles
from app.service.explaining.sent import arrays_npz, as_asked
from app.service.explaining.sheet import SHOWN_SIDE, SheetRow, draw_sheet
from app.service.explaining.sweep import with_sweeps
from app.service.explaining.tiles import cut
from app.service.explaining.verdict import reasons_for, verdict_of
from app.service.facts import image_facts, in_distribution_of, model_facts, prediction_of
from app.service.margins import margin_beside
from app.service.options import SHEET, ExplainOptions
from app.service.passes import Chosen, choose, domain_score, logits_of
from app.service.progress import Follower, Mailbox, Started, TargetsChosen
from app.service.results.explanation import ChosenTarget, ExplainResult, TargetExplanation
from app.service.results.facts import InDistribution, Prediction, SecondOpinion
from app.service.results.margin import RobustnessMargin
from app.service.results.quality import ExplanationQuality
from app.service.second_opinion import ask_twin
from app.service.targets import check_targets
from app.service.uploads import Upload


@dataclass(frozen=True)
class Bounds:
    """What an explanation may cost, and leave behind; as of `Explainer`."""

    max_rows: int
    max_picture_bytes: int | None
    decode: DecodeLimits
    strip_phi: bool


@dataclass(frozen=True)
class Asked:
    """An explanation that is asked for.

    Attributes:
        data: the upload's bytes.
        served, twin, judge: who explains, who reads the upload too, and who the explained pictures.
        sizes: RMS of the explanation, then of the others of a sweep.
    """

    explanation_id: str
    data: bytes
    options: ExplainOptions
    served: Served
    twin: Served | None
    judge: Served | None
    sizes: tuple[float, ...]

    @property
    def checkpoint(self) -> Checkpoint:
        return self.served.checkpoint

    @property
    def rho(self) -> float:
        return self.sizes[0]


@dataclass(frozen=True)
class Work:
    """What every stretch of the way needs: the explanation asked for, its upload, its place in the engine, its time."""

    asked: Asked
    upload: Upload
    place: Place
    clock: Clock
    token: WorkToken


@dataclass(frozen=True)
class _Read:
    """What the networks make of the upload, and the classes to explain."""

    chosen: Chosen
    prediction: Prediction
    targets: tuple[ChosenTarget, ...]
    opinion: SecondOpinion | None


@dataclass(frozen=True)
class _Measured:
    """Everything that is asked of the network before a picture is drawn."""

    searched: Searched
    beside: Beside
    margin: RobustnessMargin | None
    quality: Sequence[ExplanationQuality | None]
    known: InDistribution | None


def explain_upload(work: Work, bounds: Bounds, mailbox: Mailbox) -> ExplainResult:
    """Read the upload, search, measure, draw, and judge what is sent.

    Raises:
        AexError: as `Explainer.explain`.
    """
    asked, upload, clock = work.asked, work.upload, work.clock
    checkpoint, options = asked.checkpoint, asked.options
    with clock.measure("decode"):
        targets = check_targets(options.targets, checkpoint.description.classes)
        tiles = cut(upload, checkpoint.description.input, options, targets, bounds.max_rows)
    facts = image_facts(upload)
    started = Started(asked.explanation_id, datetime.now(UTC), model_facts(checkpoint), facts)
    objects = DicomObjects(
        asked.data, upload, started.id, started.model, options, limits=bounds.decode, strip_phi=bounds.strip_phi
    )
    mailbox.tell(started)
    read = _read(work, mailbox)
    followed = upload.fitted if tiles is None else tiles.fitted[0]
    follower = Follower(mailbox, followed, read.targets, read.chosen.probabilities(), options.most_steps)
    with follower.saying_what_was_reached():
        with clock.measure("explain", work.place):
            searched = search(work.place, upload, tiles, read.chosen, options, asked.sizes, work.token, follower)
        measured = _measure(work, read, searched)
        finishing = replace(work, token=work.token.without_deadline()) if options.partial else work
        style = Style(options, checkpoint.description.explanation.scale, PictureRoom(bounds.max_picture_bytes))
        with clock.measure("render"):
            sent = draw_searched(upload, searched, measured.beside, style, finishing.token)
        judged = _judge(finishing, read, measured, sent)
        with clock.measure("render"):
            explanations = objects.added_to(
                _with_sweeps(finishing, read, judged, sent),
                searched.found.explanation.perturbation,
                style.scale,
                finishing.token,
            )
            sheet = None
            if SHEET in options.include:
                sheet = draw_sheet([SheetRow(shrink_upload(upload, SHOWN_SIDE).pixels, read.prediction, explanations)])
    return ExplainResult(
        id=started.id,
        created=started.created,
        model=started.model,
        image=started.image,
        prediction=read.prediction,
        in_distribution=measured.known,
        second_opinion=read.opinion,
        explanations=tuple(_with_verdict(one, asked, read, measured) for one in explanations),
        timing_ms=clock.timing_ms,
        original=sent.original,
        sheet=sheet,
        margin=measured.margin,
        arrays_npz=(
            arrays_npz(upload.fitted, searched.found, measured.beside) if "arrays" in options.include else None
        ),
    )


def _read(work: Work, mailbox: Mailbox) -> _Read:
    asked, classes = work.asked, work.asked.checkpoint.description.classes
    with work.clock.measure("explain", work.place):
        chosen = choose(work.place, work.upload.fitted, classes, asked.options, work.token)
        prediction = prediction_of(asked.checkpoint, chosen.logits, asked.options.top_k)
        targets = chosen.named(classes)
        mailbox.tell(TargetsChosen(prediction, targets))
        opinion = ask_twin(work.place, asked.twin, work.upload, prediction, asked.options.top_k, work.token)
    return _Read(chosen, prediction, targets, opinion)


def _measure(work: Work, read: _Read, searched: Searched) -> _Measured:
    asked, place, token, fitted = work.asked, work.place, work.token, work.upload.fitted
    checkpoint, options, found = asked.checkpoint, asked.options, searched.found
    with work.clock.measure("explain", place):
        beside = explain_beside(place, checkpoint.network, fitted, read.chosen, found, options, token)
        margin = margin_beside(place, work.upload, read.prediction.best.class_id, options, checkpoint, token)
        subject = Subject(checkpoint.network, fitted, read.chosen, options, asked.rho, found, beside)
        quality = measure_quality(place, subject, token)
        score = domain_score(place, checkpoint.domain, fitted, token.without_deadline() if options.partial else token)
    return _Measured(searched, beside, margin, quality, in_distribution_of(checkpoint, score))


def _judge(work: Work, read: _Read, measured: _Measured, sent: AllSent) -> list[TargetExplanation]:
    """What the explained pictures come to, by the network and by others."""
    asked, place, token, shown = work.asked, work.place, work.token, sent.at_sizes
    searched, classes = measured.searched, asked.checkpoint.description.classes
    with work.clock.measure("explain", place):
        after = logits_of(place, torch.cat([one.fitted for one in shown]), token)
        judged = judge_all(
            work.upload, read.chosen, searched.all_sizes, measured.beside, shown, after, asked.options, asked.sizes,
            asked.checkpoint,
        )  # fmt: skip
        judged = with_tiles(place, searched, sent, judged, classes, token)
        readings = read_by_judge(place, asked.judge, work.upload.fitted, shown[0].fitted, read.targets, token)
    return with_quality(judged, measured.quality, readings)


def _with_sweeps(
    work: Work, read: _Read, judged: list[TargetExplanation], sent: AllSent
) -> Sequence[TargetExplanation]:
    small = [picture for one in sent.at_sizes for picture in one.small]
    return with_sweeps(judged, read.prediction, work.upload, small, work.asked.options, work.token)


def _with_verdict(one: TargetExplanation, asked: Asked, read: _Read, measured: _Measured) -> TargetExplanation:
    calibration = asked.checkpoint.description.calibration
    verdict = verdict_of(reasons_for(one, measured.known, read.opinion, calibration))
    return replace(as_asked(one, asked.options), verdict=verdict)
