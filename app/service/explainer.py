"""From uploaded bytes to a prediction and its reasons: the whole way of an image, in the order it is walked.

Everything reported of an explanation is measured on the picture that is sent: the change is carried to the uploaded
image's own pixels, clamped, rounded to 8 bits, fitted to the network again and only then judged. Who uploads that
picture gets these very numbers.
"""

from contextlib import ExitStack
from math import ceil

import torch

from app.engine.device import Engine
from app.engine.token import WorkToken
from app.errors import Cancelled, OptionError, UnknownExplanation
from app.images.color_maps import color_map
from app.images.decode import DecodeLimits, decode
from app.images.png import png_of
from app.networks.checkpoint import Checkpoint
from app.service.audits.asked import audit_image, audited
from app.service.audits.attacks import as_picture
from app.service.audits.pictures import draw_picture
from app.service.catalogue import Catalogue, Served
from app.service.clock import Clock
from app.service.explaining.judge import check_judge
from app.service.explaining.one_upload import Asked, Bounds, Work, explain_upload
from app.service.facts import answer_facts, in_distribution_of, model_facts, prediction_of
from app.service.ids import new_id
from app.service.kept import KeptResults
from app.service.large import Uploads
from app.service.margins import certificate_of, margin_of
from app.service.options import (
    AuditOptions,
    ExplainOptions,
    MarginOptions,
    PredictOptions,
)
from app.service.passes import choose, domain_score, explain_targets, logits_of
from app.service.progress import Mailbox
from app.service.results.audit import AuditResult, ModelAudit
from app.service.results.explanation import ExplainResult, Record
from app.service.results.facts import PredictResult
from app.service.results.margin import MarginResult
from app.service.running import Running
from app.service.second_opinion import ask_twin
from app.service.targets import check_rival, check_targets


class Explainer:
    """Predicts and explains. Its methods block, and may be called from many threads at once.

    Args:
        catalogue: the models.
        engine: owns the device; bounds what is inside.
        decode_limits: what an upload may cost.
        max_rows: targets of one request at the most, or targets times sizes, or tiles.
        kept: keeps explanations for a while; None to keep nothing.
        strip_phi: leave out of DICOM objects all that may tell who the patient is.
        max_open_pixels: of large images that are open at once, as of `Uploads`.
        max_picture_bytes: of all pictures of one explanation, None for as many as there are.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        engine: Engine,
        *,
        decode_limits: DecodeLimits,
        max_rows: int,
        kept: KeptResults | None = None,
        strip_phi: bool = False,
        max_open_pixels: int = 100_000_000,
        max_picture_bytes: int | None = None,
    ) -> None:
        self._catalogue = catalogue
        self._engine = engine
        self._uploads = Uploads(decode_limits, max_open_pixels=max_open_pixels)
        self._bounds = Bounds(max_rows, max_picture_bytes, decode_limits, strip_phi)
        self._running = Running()
        self._kept = KeptResults(max_bytes=0, seconds=0) if kept is None else kept

    def predict(self, data: bytes, options: PredictOptions, token: WorkToken) -> PredictResult:
        """Classes and probabilities of one image.

        Raises:
            AexError: any of the tree but CheckpointError and DataError, as `app.errors` says.
        """
        clock, served, twin = Clock(), self._catalogue.served(options.model), self._twin(options)
        checkpoint = served.checkpoint
        second_model = None if twin is None else twin.model
        with self._engine.place(served.model, second=second_model) as place, ExitStack() as late:
            with clock.measure("decode"):
                upload = late.enter_context(
                    self._uploads.opened(data, checkpoint.description.input, options.selection, token)
                )
            with clock.measure("predict", place):
                logits = logits_of(place, upload.fitted[None], token)
                prediction = prediction_of(checkpoint, logits[0], options.top_k)
                second = ask_twin(place, twin, upload, prediction, options.top_k, token)
                score = domain_score(place, checkpoint.domain, upload.fitted, token)
        return PredictResult(
            **answer_facts(checkpoint, upload, clock),
            prediction=prediction,
            in_distribution=in_distribution_of(checkpoint, score),
            second_opinion=second,
        )

    def margin(self, data: bytes, options: MarginOptions, token: WorkToken) -> MarginResult:
        """How much change the prediction of one image withstands.

        Raises:
            AexError: any of the tree but CheckpointError and DataError, as `app.errors` says.
        """
        clock, served = Clock(), self._catalogue.served(options.model)
        checkpoint = served.checkpoint
        with self._engine.place(served.model, steps=options.expected_gradients) as place, ExitStack() as late:
            with clock.measure("decode"):
                upload = late.enter_context(
                    self._uploads.opened(data, checkpoint.description.input, options.selection, token)
                )
            with clock.measure("margin", place):
                prediction = prediction_of(checkpoint, logits_of(place, upload.fitted[None], token)[0], options.top_k)
                class_id = prediction.best.class_id
                margin = margin_of(place, upload, class_id, options, checkpoint, token)
            certificate = None
            if options.certificate:
                with clock.measure("certificate", place):
                    certificate = certificate_of(place, upload, class_id, options, checkpoint, token)
        return MarginResult(
            **answer_facts(checkpoint, upload, clock),
            prediction=prediction,
            margin=margin,
            certificate=certificate,
        )

    def explain(
        self, data: bytes, options: ExplainOptions, token: WorkToken, mailbox: Mailbox | None = None
    ) -> ExplainResult:
        """Prediction and explanations of one image; a mailbox is told how they come along, once the image is read.

        Raises:
            AexError: any of the tree but CheckpointError and DataError, as `app.errors` says.
        """
        return self.record(data, options, token, mailbox).result

    def record(self, data: bytes, options: ExplainOptions, token: WorkToken, mailbox: Mailbox | None = None) -> Record:
        """The same with what a report needs beside it; raises as `explain` does."""
        explanation_id, served = new_id(), self._catalogue.served(options.model)
        mailbox = Mailbox(read=False) if mailbox is None else mailbox
        try:
            with self._running.cancellable(explanation_id, token):
                result = self._explain(explanation_id, served, data, options, token, mailbox)
                return self._kept.keep(Record(result, data, options, served.checkpoint.description))
        except Cancelled:  # perhaps just as it was kept
            self._kept.discard(explanation_id)
            raise

    def _explain(
        self,
        explanation_id: str,
        served: Served,
        data: bytes,
        options: ExplainOptions,
        token: WorkToken,
        mailbox: Mailbox,
    ) -> ExplainResult:
        clock, checkpoint, twin = Clock(), served.checkpoint, self._twin(options)
        rho = options.rho if options.rho is not None else checkpoint.description.explanation.rho
        sizes = (rho, *(size for size in options.sweep_sizes(rho) if size != rho))
        rows = self._check(options, checkpoint, len(sizes))
        steps = options.expected_gradients(rows, len(sizes))
        asked = Asked(explanation_id, data, options, served, twin, self._judge(served, twin, options), sizes)
        second = None if twin is None else twin.model
        with (
            self._engine.place(served.model, rows=rows, steps=steps, second=second, copies=options.copies) as place,
            ExitStack() as late,
        ):
            with clock.measure("decode"):
                wanted = checkpoint.description.input
                upload = late.enter_context(self._uploads.opened(data, wanted, options.selection, token))
            return explain_upload(Work(asked, upload, place, clock, token), self._bounds, mailbox)

    def audit(self, data: bytes, options: AuditOptions, token: WorkToken) -> AuditResult:
        """How far explanations of one image can be made to lie, by the model and by its twin or another.

        Raises:
            AexError: any of the tree but CheckpointError and DataError, as `app.errors` says.
        """
        clock, served = Clock(), self._catalogue.served(options.model)
        models = [served, *self._beside(served, options)]
        cost = sum(options.expected_gradients * one.model.cost("climb") for one in models)
        of_models: list[ModelAudit] = []
        steps = ceil(cost / served.model.cost("climb"))
        with self._engine.place(served.model, steps=steps) as first, ExitStack() as late:
            with clock.measure("decode"):
                wanted = served.checkpoint.description.input
                upload = late.enter_context(self._uploads.opened(data, wanted, options.selection, token))
            for one in models:
                checkpoint = one.checkpoint
                place = first if one is served else first.of(one.model)
                with clock.measure("audit", place):
                    picture = as_picture(upload.fitted_for(checkpoint.description.input))
                    logits = logits_of(place, picture[None], token)[0]
                    attacks = list(audit_image(place, checkpoint, picture, options, token))
                with clock.measure("render"):
                    of_models.append(
                        ModelAudit(
                            model=model_facts(checkpoint),
                            prediction=prediction_of(checkpoint, logits, options.top_k),
                            image=draw_picture(picture),
                            audits=tuple(audited(picture, attack, checkpoint) for attack in attacks),
                        )
                    )
        return AuditResult(
            **answer_facts(served.checkpoint, upload, clock),
            models=tuple(of_models),
        )

    def find(self, explanation_id: str) -> Record:
        """An explanation that is kept.

        Raises:
            ExplanationGone: it was kept, and is no more; says why.
            UnknownExplanation: none of that id is kept, or it is still worked on.
        """
        if explanation_id in self._running:
            raise UnknownExplanation("This explanation is still worked on; ask again when its stream has ended.")
        return self._kept.get(explanation_id)

    def amend(self, record: Record) -> None:
        """Say from now on of an explanation that is kept what this record says."""
        self._kept.amend(record)

    def image_of(self, record: Record) -> bytes:
        """PNG of the upload, as it was decoded and turned upright."""
        return png_of(decode(record.upload, self._bounds.decode, record.options.selection).eight_bits())

    def delete(self, explanation_id: str) -> None:
        """End an explanation that is worked on: its rows are free within one step, whoever waits gets `Cancelled`.

        One that is done is forgotten; raises as `find` does.
        """
        if not self._running.cancel(explanation_id):
            self._kept.delete(explanation_id)

    def warm_up(self, model: str | None = None) -> None:
        """Run the passes once, so that the first request does not pay for what torch prepares."""
        served, options = self._catalogue.served(model), ExplainOptions(steps=1)
        grey, classes, token = torch.full(served.model.shape, 0.5), served.checkpoint.description.classes, WorkToken()
        with self._engine.place(served.model, rows=2, steps=1) as place:
            chosen = choose(place, grey, classes, options, token)
            explain_targets(place, grey, chosen, options, [0.1], token)

    def _twin(self, options: PredictOptions) -> Served | None:
        return self._catalogue.twin(options.model) if options.second_opinion else None

    def _judge(self, served: Served, twin: Served | None, options: ExplainOptions) -> Served | None:
        """Who reads the explained pictures: whoever is named, or the twin, where it is shown what the model is."""
        if not options.quality:
            return None
        if options.judge is None:
            alike = twin is not None and twin.checkpoint.description.input == served.checkpoint.description.input
            return twin if alike else None
        judge = self._another("judge", options.judge, served)
        check_judge(judge, served)
        return judge

    def _beside(self, served: Served, options: AuditOptions) -> list[Served]:
        """The further model that an audit is of, if any."""
        if options.beside is None:
            twin = self._twin(options)
            return [] if twin is None else [twin]
        return [self._another("beside", options.beside, served)]

    def _another(self, option: str, name: str, served: Served) -> Served:
        """The model that an option names, which must not be the one that is asked."""
        if name == served.checkpoint.name:
            raise OptionError(f"{option} is {name}, the model itself; name another, or leave it out.")
        return self._catalogue.served(name)

    def _check(self, options: ExplainOptions, checkpoint: Checkpoint, sizes: int) -> int:
        """Say what cannot be answered before any work is done; returns how many rows it comes to at the most."""
        color_map(options.color_map, options.heatmap)
        targets = check_targets(options.targets, checkpoint.description.classes)
        if options.against is not None:
            check_rival(options.against, checkpoint.description.classes)
        if targets * sizes > self._bounds.max_rows:
            what = "targets come" if sizes == 1 else f"{targets} targets at {sizes} sizes, rho among them, come"
            raise OptionError(
                f"{what} to {targets * sizes} explanations; at most {self._bounds.max_rows} are made for one request."
                " Name fewer."
            )
        return targets * sizes if options.tile is None else self._bounds.max_rows  # how many tiles, the image says
