"""From uploaded bytes to a prediction and its reasons: the whole way of an image, in the order it is walked.

Everything reported of an explanation is measured on the picture that is sent: the change is carried to the uploaded
image's own pixels, clamped, rounded to 8 bits, fitted to the network again and only then judged. Who uploads that
picture gets these very numbers.
"""

import io
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from ulid import ULID

from app.adversarial import explain as mathematics
from app.adversarial.loop import require_finite
from app.adversarial.sizes import l2, rms
from app.engine.device import Engine
from app.engine.token import WorkToken
from app.errors import NotFinite, OptionError
from app.images.color_maps import color_map
from app.images.decode import DecodedImage, DecodeLimits, decode
from app.images.fit import Fitting, fitting
from app.networks.checkpoint import Checkpoint
from app.service.catalogue import Catalogue
from app.service.options import ExplainOptions, PredictOptions
from app.service.pictures import draw
from app.service.results import (
    ClassProbability,
    ExplainResult,
    ImageFacts,
    ModelFacts,
    Prediction,
    PredictResult,
    Region,
    TargetExplanation,
)
from app.service.targets import check_targets, choose_targets


@dataclass(frozen=True)
class _Seen:
    """An upload, decoded and fitted to a model: `fitted` is (channels, height, width) in [0, 1]."""

    decoded: DecodedImage
    floats: NDArray[np.float32]
    fitting: Fitting
    fitted: Tensor


class Explainer:
    """Predicts and explains. Its methods block, and may be called from many threads at once.

    Args:
        catalogue: the models.
        engine: owns the device; bounds how many requests are inside.
        decode_limits: what an upload may cost.
        max_rows: targets of one request at the most.
    """

    def __init__(self, catalogue: Catalogue, engine: Engine, *, decode_limits: DecodeLimits, max_rows: int) -> None:
        self._catalogue = catalogue
        self._engine = engine
        self._limits = decode_limits
        self._max_rows = max_rows

    def predict(self, data: bytes, options: PredictOptions, token: WorkToken) -> PredictResult:
        """Classes and probabilities of one image.

        Raises:
            AexError: any of the tree but CheckpointError and DataError, as `app.errors` says.
        """
        clock = _Clock()
        checkpoint = self._catalogue.get(options.model)
        with self._engine.place():
            with clock.measure("decode"):
                seen = self._see(data, checkpoint)
            with clock.measure("predict"):
                logits, queued = self._engine.run(lambda: _logits(checkpoint, seen.fitted[None]), token)
        clock.record_queued(queued, inside="predict")
        return PredictResult(
            id=str(ULID()),
            created=datetime.now(UTC),
            model=_model_facts(checkpoint),
            image=_image_facts(seen),
            prediction=_prediction(checkpoint, logits[0], options.top_k),
            timing_ms=clock.timing_ms,
        )

    def explain(self, data: bytes, options: ExplainOptions, token: WorkToken) -> ExplainResult:
        """Prediction and explanations of one image.

        Raises:
            AexError: any of the tree but CheckpointError and DataError, as `app.errors` says.
        """
        clock = _Clock()
        checkpoint = self._catalogue.get(options.model)
        self._check_cost(options, checkpoint)
        color_map(options.color_map, options.heatmap)  # an unknown one is said before any work is done
        rho = options.rho if options.rho is not None else checkpoint.description.explanation.rho
        with self._engine.place():
            with clock.measure("decode"):
                seen = self._see(data, checkpoint)
            with clock.measure("explain"):
                work = lambda: _explain_targets(checkpoint, seen.fitted, options, rho, token)  # noqa: E731 - a thunk
                (logits, targets, roles, found), queued = self._engine.run(work, token)
            with clock.measure("render"):
                drawn = [
                    draw(seen.floats, seen.fitting.to_image(row), options, checkpoint.description.explanation.scale)
                    for row in found.perturbation
                ]
                sent = torch.stack([seen.fitting.to_network(np.float32(1 / 255) * one.sent) for one in drawn])
            after, queued_again = self._engine.run(lambda: _logits(checkpoint, sent), token)
        clock.record_queued(queued, inside="explain")
        clock.record_queued(queued_again)

        before = logits.softmax(0)
        change = sent - seen.fitted
        change_rms, change_l2 = rms(change).tolist(), l2(change).tolist()
        classes = checkpoint.description.classes
        explanations = []
        for row, (target, role) in enumerate(zip(targets, roles, strict=True)):
            probability_before, probability_after = float(before[target]), float(after[row].softmax(0)[target])
            rose = probability_after > probability_before
            fell = probability_after < probability_before
            settled = bool(found.settled[row])
            class_after = int(after[row].argmax())
            explanations.append(
                TargetExplanation(
                    target=classes[target],
                    target_id=target,
                    role=role,
                    direction=options.direction,
                    method=options.method,
                    probability_before=probability_before,
                    probability_after=probability_after,
                    rho=rho,
                    perturbation_rms=change_rms[row],
                    perturbation_l2=change_l2[row],
                    steps=options.steps,
                    converged=settled,
                    goal_met=settled and (rose if options.direction == "encourage" else fell),
                    changed_class_to=None if class_after == int(logits.argmax()) else classes[class_after],
                    pictures=drawn[row].pictures,
                )
            )
        return ExplainResult(
            id=str(ULID()),
            created=datetime.now(UTC),
            model=_model_facts(checkpoint),
            image=_image_facts(seen),
            prediction=_prediction(checkpoint, logits, options.top_k),
            explanations=tuple(explanations),
            timing_ms=clock.timing_ms,
            arrays_npz=_arrays(seen.fitted, found.perturbation) if "arrays" in options.include else None,
        )

    def warm_up(self, model: str | None = None) -> None:
        """Run the passes once, so that the first request does not pay for what torch prepares."""
        checkpoint = self._catalogue.get(model)
        grey = torch.full(_input_shape(checkpoint), 0.5)
        options = ExplainOptions(steps=1)
        work = lambda: _explain_targets(checkpoint, grey, options, 0.1, WorkToken())  # noqa: E731 - a thunk
        self._engine.run(work, WorkToken())

    def _see(self, data: bytes, checkpoint: Checkpoint) -> _Seen:
        decoded = decode(data, self._limits)
        wanted = checkpoint.description.input
        how = fitting(
            decoded.height,
            decoded.width,
            height=wanted.height,
            width=wanted.width,
            channels=wanted.channels,
            fit=wanted.fit,
        )
        floats = decoded.floats()
        return _Seen(decoded, floats, how, how.to_network(floats))

    def _check_cost(self, options: ExplainOptions, checkpoint: Checkpoint) -> None:
        rows = check_targets(options.targets, checkpoint.description.classes)
        if rows > self._max_rows:
            raise OptionError(
                f"targets come to {rows} explanations; at most {self._max_rows} are made for one request. Name fewer."
            )


class _Clock:
    """Milliseconds spent in each part of a request."""

    def __init__(self) -> None:
        self.timing_ms: dict[str, float] = {"queued": 0.0}

    @contextmanager
    def measure(self, part: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.timing_ms[part] = 1000 * (time.monotonic() - began)

    def record_queued(self, seconds: float, inside: str | None = None) -> None:
        """Count time spent waiting for the device, and take it out of the part it was measured in."""
        self.timing_ms["queued"] += 1000 * seconds
        if inside is not None:
            self.timing_ms[inside] -= 1000 * seconds


def _logits(checkpoint: Checkpoint, images: Tensor) -> Tensor:
    """Logits (batch, classes), on the CPU, of images (batch, channels, height, width); on the device's thread."""
    with torch.no_grad():
        logits: Tensor = checkpoint.network(images.to(checkpoint.device)).cpu()
    if not logits.isfinite().all():
        raise NotFinite("The network gave a logit that is not finite; its weights or this image are at fault.")
    return logits


def _explain_targets(
    checkpoint: Checkpoint, fitted: Tensor, options: ExplainOptions, rho: float, token: WorkToken
) -> tuple[Tensor, list[int], list[str], mathematics.Explanation]:
    """Logits (classes,), target ids, their roles, and explanations on the CPU; on the device's thread."""
    logits = _logits(checkpoint, fitted[None])[0]
    targets, roles = choose_targets(options.targets, checkpoint.description.classes, logits)
    rows = mathematics.paper_rows(
        torch.tensor(targets, device=checkpoint.device), direction=options.direction, rho=rho, steps=options.steps
    )
    images = fitted.to(checkpoint.device).expand(len(targets), *fitted.shape)
    found = mathematics.explain(checkpoint.network, images, rows, observe=lambda *_: token.check())
    require_finite(found.non_finite_step)
    return logits, targets, roles, found.cpu()


def _prediction(checkpoint: Checkpoint, logits: Tensor, top_k: int) -> Prediction:
    probabilities = logits.softmax(0)
    count = min(top_k, len(probabilities)) or len(probabilities)
    top = probabilities.topk(count)
    classes = checkpoint.description.classes
    return Prediction(
        tuple(
            ClassProbability(classes[class_id], class_id, probability)
            for class_id, probability in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        )
    )


def _model_facts(checkpoint: Checkpoint) -> ModelFacts:
    description = checkpoint.description
    return ModelFacts(
        name=checkpoint.name,
        weights_sha256=checkpoint.weights_sha256,
        height=description.input.height,
        width=description.input.width,
        channels=description.input.channels,
        fit=description.input.fit,
    )


def _image_facts(seen: _Seen) -> ImageFacts:
    decoded, box = seen.decoded, seen.fitting.seen
    return ImageFacts(
        sha256=decoded.sha256,
        format=decoded.format,
        width=decoded.width,
        height=decoded.height,
        seen=Region(box.left, box.top, box.width, box.height),
        notes=decoded.notes,
    )


def _input_shape(checkpoint: Checkpoint) -> Sequence[int]:
    wanted = checkpoint.description.input
    return wanted.channels, wanted.height, wanted.width


def _arrays(fitted: Tensor, perturbation: Tensor) -> bytes:
    """The npz of `ExplainResult.arrays_npz`."""
    file = io.BytesIO()
    np.savez(
        file,
        image=fitted.permute(1, 2, 0).numpy(),
        explained=(fitted + perturbation).permute(0, 2, 3, 1).numpy(),
        perturbation=perturbation.permute(0, 2, 3, 1).numpy(),
    )
    return file.getvalue()
