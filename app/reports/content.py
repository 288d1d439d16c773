"""What a report says, before it becomes HTML or PDF."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from app.images.render import draw_for_page, draw_pixels
from app.networks.card import architecture_in_words
from app.networks.scores import score_tables
from app.reports.words import (
    LIMITS,
    caption,
    fit_in_words,
    heatmap_in_words,
    outcome,
    part_in_words,
    percent,
    printable,
    quality_in_words,
    ranked,
    role_in_words,
    second_in_words,
    seen_in_words,
    title_of,
    verdict_in_words,
    wish,
)
from app.service.options import SWEEP_PICTURES
from app.service.results.explanation import Record, TargetExplanation
from app.service.results.facts import DrawnPicture

Facts = tuple[tuple[str, str], ...]

_UNKNOWN = "Not written down."
_SHOWN_CLASSES = 10
_MEASURES = {
    "accuracy": "accuracy",
    "two classes: auroc": "AUROC",
    "two classes: sensitivity": "sensitivity",
    "two classes: specificity": "specificity",
    "expected calibration error": "calibration error, expected",
    "worst case ara": "robustness: worst-case ARA, RMS",
}
"""Of all that was measured of a model, what bears on how far its explanations go; and what a report calls it."""


_LONGEST_SIDE, _LONGEST_WIDE_SIDE = 800, 2400  # pixels: 360 dots an inch on paper, side by side or alone


@dataclass(frozen=True)
class Shown:
    """A picture on a page: PNG, with what is said under it; a wide one stands alone."""

    png: bytes
    title: str
    caption: str
    wide: bool = False


@dataclass(frozen=True)
class Part:
    """Under one heading: paragraphs, then pictures side by side, then facts by name."""

    heading: str
    paragraphs: tuple[str, ...] = ()
    pictures: tuple[Shown, ...] = ()
    facts: Facts = ()


@dataclass(frozen=True)
class Report:
    """All of it, in the order to be read.

    Attributes:
        title: says what was found.
        created: when the explanation was made.
        id: of the explanation.
        notice: what the installation wants every reader to know first.
    """

    title: str
    created: datetime
    id: str
    notice: str
    parts: tuple[Part, ...]


def report_of(record: Record, image: NDArray[np.uint8], *, notice: str, version: str, file_name: str = "") -> Report:
    """The report of one explanation.

    Args:
        record: the explanation, and what it was made of.
        image: the upload, RGB (height, width, 3), as it was decoded.
        notice: what every reader must know first.
        version: of this software.
        file_name: of the upload, where it is known.
    """
    result = record.result
    best = result.prediction.best
    parts = (
        Part("In short", tuple(_short(record))),
        _image_part(record, image, file_name),
        *(_target_part(number, one, record) for number, one in enumerate(result.explanations, start=1)),
        Part("How far this goes", LIMITS),
        _model_part(record),
        _parameters_part(record, version),
    )
    title = f"Read as {printable(best.name)} ({percent(best.probability)})"
    return Report(title, result.created, result.id, printable(notice), parts)


def time_in_words(when: datetime) -> str:
    """To the second, in UTC."""
    return when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _short(record: Record) -> Iterator[str]:
    result = record.result
    best, *others = result.prediction.top
    then = ranked(others[:2])
    yield (
        f"The network {result.model.name} reads the image as {printable(best.name)}, with a probability of"
        f" {percent(best.probability)}{f'; next come {then}' if then else ''}."
    )
    if result.in_distribution is not None:
        yield printable(result.in_distribution.sentence)
    if result.second_opinion is not None:
        yield second_in_words(result.second_opinion)
    if result.margin is not None:
        yield printable(result.margin.says)
    for one in result.explanations:
        yield f"{title_of(one)}. {outcome(one, best.name)}"


def _image_part(record: Record, image: NDArray[np.uint8], file_name: str) -> Part:
    facts, model = record.result.image, record.result.model
    named = (("file", printable(file_name)),) if file_name else ()
    png = draw_for_page(draw_pixels(image, _LONGEST_SIDE).png, _LONGEST_SIDE)
    return Part(
        "The image",
        pictures=(Shown(png, "The image", "as it was uploaded"),),
        facts=(
            *named,
            ("SHA-256 of the file", facts.sha256),
            ("format", facts.format),
            *((("part of the file", part),) if (part := part_in_words(facts)) else ()),
            ("size", f"{facts.width} x {facts.height} pixels"),
            ("seen by the network", seen_in_words(facts, model)),
            *((("notes on reading it", " ".join(facts.notes)),) if facts.notes else ()),
            *(
                (f"probability of {printable(one.name)}", percent(one.probability))
                for one in record.result.prediction.top
            ),
        ),
    )


def _target_part(number: int, one: TargetExplanation, record: Record) -> Part:
    facts = [
        ("role", role_in_words(one.role)),
        (f"probability of {printable(one.target)} before", percent(one.probability_before)),
        (f"probability of {printable(one.target)} after", percent(one.probability_after)),
    ]
    if one.margin_before is not None and one.margin_after is not None and one.against is not None:
        margin = f"margin of {printable(one.target)} over {printable(one.against)}, in logits,"
        facts += [(f"{margin} before", f"{one.margin_before:.3f}"), (f"{margin} after", f"{one.margin_after:.3f}")]
    facts += [
        ("read after the change as", ranked(one.top_after[:3])),
        ("size of the change, RMS", f"{one.perturbation_rms:.4f} (asked for: {one.rho:g})"),
        ("size of the change, L2", f"{one.perturbation_l2:.3f}"),
        ("gradient steps", str(one.steps)),
        ("settled at the size asked for", "yes" if one.converged else "no"),
        ("moved as asked for", "yes" if one.goal_met else "no"),
        *_tiled(one),
        *((("to be relied on", verdict_in_words(one.verdict)),) if one.verdict is not None else ()),
        *(quality_in_words(one.quality) if one.quality is not None else ()),
    ]
    pictures = tuple(_shown(name, drawn, one) for name, drawn in one.pictures.items())
    words = (f"{wish(one)} {outcome(one, record.result.prediction.best.name)}",)
    return Part(f"{number}. {title_of(one)}", words, pictures, tuple(facts))


def _shown(name: str, drawn: DrawnPicture, one: TargetExplanation) -> Shown:
    wide = name in SWEEP_PICTURES
    return Shown(
        draw_for_page(drawn.png, _LONGEST_WIDE_SIDE if wide else _LONGEST_SIDE), *caption(name, drawn, one), wide
    )


def _model_part(record: Record) -> Part:
    model, description = record.result.model, record.description
    classes = ", ".join(map(printable, description.classes[:_SHOWN_CLASSES]))
    more = len(description.classes) - _SHOWN_CLASSES
    return Part(
        "The model",
        facts=(
            ("name", model.name),
            ("SHA-256 of its weights", model.weights_sha256),
            ("network", architecture_in_words(description).replace("`", "")),
            ("input", f"{model.width} x {model.height} pixels, {'colour' if model.channels == 3 else 'grey'}"),
            ("images of another shape", fit_in_words(model.fit)),
            ("classes", f"{classes}{f' and {more} more' if more > 0 else ''}"),
            *_measured(record),
            ("intended use", printable(description.intended_use) or _UNKNOWN),
            ("known failures", printable(description.known_failures) or _UNKNOWN),
            ("where it comes from", printable(description.source) or _UNKNOWN),
        ),
    )


def _measured(record: Record) -> Iterator[tuple[str, str]]:
    """Each of `_MEASURES` that was measured, once."""
    rows = dict(
        reversed([row for table in score_tables(record.description.scores) for row in table.rows if len(row) == 2])
    )
    yield from ((words, rows[name]) for name, words in _MEASURES.items() if name in rows)
    if not rows.keys() & _MEASURES.keys():
        yield "measured", "Nothing was measured with this software."


def _tiled(one: TargetExplanation) -> Facts:
    """How many tiles there are, and the one where the target moved farthest."""
    most = one.most_moved_tile
    if most is None:
        return ()
    box, tiles = most.box, len(one.tiles)
    return (
        ("explained in tiles", f"{tiles} of {box.width} x {box.height} pixels, joined; the figures are of the whole"),
        (
            f"probability of {printable(one.target)} moved farthest in the tile at",
            f"{box.left}, {box.top}: from {percent(most.probability_before)} to {percent(most.probability_after)}",
        ),
    )


def _swept(one: TargetExplanation) -> Facts:
    return (("further sizes, RMS", ", ".join(f"{point.rho:.3g}" for point in one.sweep)),)


def _parameters_part(record: Record, version: str) -> Part:
    result, options = record.result, record.options
    return Part(
        "Parameters",
        facts=(
            ("id of the explanation", result.id),
            ("made at", time_in_words(result.created)),
            ("software", f"adversarial-explanations {version}"),
            ("targets asked for", ", ".join(map(printable, options.targets))),
            ("in contrast with", printable(options.against) if options.against is not None else "none"),
            ("direction", options.direction),
            ("search", f"{options.method}, {options.most_steps} gradient steps at the most"),
            ("size asked for, RMS", f"{result.explanations[0].rho:g}"),
            *(_swept(result.explanations[0]) if result.explanations[0].sweep else ()),
            ("heatmap", heatmap_in_words(options)),
            ("end of the colour bar", "the model's own" if options.scale is None else str(options.scale)),
            ("methods", ", ".join(options.methods)),
            ("seed", str(options.seed)),
        ),
    )
