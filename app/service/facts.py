"""What an answer says about its model, its image and its prediction."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypedDict

from torch import Tensor

from app.networks.checkpoint import Checkpoint
from app.service.clock import Clock
from app.service.ids import new_id
from app.service.results.facts import (
    ClassProbability,
    ImageFacts,
    InDistribution,
    LevelWindow,
    ModelFacts,
    Prediction,
    Region,
)
from app.service.uploads import Upload


class AnswerFacts(TypedDict):
    """What every answer says of itself, under the names that results have for it."""

    id: str
    created: datetime
    model: ModelFacts
    image: ImageFacts
    timing_ms: Mapping[str, float]


def answer_facts(checkpoint: Checkpoint, upload: Upload, clock: Clock) -> AnswerFacts:
    """Of an answer that is made now; the clock has measured all of it."""
    return {
        "id": new_id(),
        "created": datetime.now(UTC),
        "model": model_facts(checkpoint),
        "image": image_facts(upload),
        "timing_ms": clock.timing_ms,
    }


def model_facts(checkpoint: Checkpoint) -> ModelFacts:
    """Which network answers."""
    wanted = checkpoint.description.input
    return ModelFacts(
        name=checkpoint.name,
        weights_sha256=checkpoint.weights_sha256,
        height=wanted.height,
        width=wanted.width,
        channels=wanted.channels,
        fit=wanted.fit,
    )


def image_facts(upload: Upload) -> ImageFacts:
    """What was uploaded, and what of it the network saw."""
    decoded, box, chosen = upload.decoded, upload.fitting.seen, upload.decoded.selected
    return ImageFacts(
        sha256=decoded.sha256,
        format=decoded.format,
        width=decoded.width,
        height=decoded.height,
        seen=Region(box.left, box.top, box.width, box.height),
        page=chosen.page,
        pages=chosen.pages,
        frame=chosen.frame,
        frames=chosen.frames,
        window=None if chosen.window is None else LevelWindow(*chosen.window),
        notes=decoded.notes,
    )


def prediction_of(checkpoint: Checkpoint, logits: Tensor, top_k: int) -> Prediction:
    """The `top_k` most probable classes, all of them for 0; logits (classes,)."""
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


def in_distribution_of(checkpoint: Checkpoint, score: float | None) -> InDistribution | None:
    """What a score of the model's domain says; None where there is no score."""
    calibration = checkpoint.description.calibration
    if score is None or calibration is None or calibration.domain is None:
        return None
    threshold, percentile = calibration.domain.threshold, _percentile(calibration.domain.percentiles, score)
    those = "all" if percentile == 100 else f"{int(percentile)} in a hundred"
    farther = f"farther from what {checkpoint.name} learned from than {those} held-out images of its kind"
    if score > threshold:
        sentence = f"The image lies {farther}: it may be none of the model's business, and no answer about it counts."
        return InDistribution(score, threshold, percentile, "outside", sentence)
    return InDistribution(score, threshold, percentile, "inside", f"The image lies {farther}, which is usual.")


def _percentile(percentiles: Sequence[float], score: float) -> float:
    """Where a score stands among rising percentiles, 0 to 100, between two of them by a straight line."""
    above = bisect_left(percentiles, score)
    if above in (0, len(percentiles)):
        return 100.0 * above / len(percentiles)
    low, high = percentiles[above - 1], percentiles[above]
    return 100 * (above - 1 + (score - low) / (high - low)) / (len(percentiles) - 1)
