"""A target explained at rising sizes: what it came to at each, as numbers, film strip, film and curve."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.engine.token import WorkToken
from app.images.animation import animate
from app.images.plot import COLORS, plot_png
from app.images.render import ExplainedPicture
from app.service.explaining.pictures import shrink_upload
from app.service.explaining.sheet import CELL_PIXELS, GAP_PIXELS, LINE_PIXELS, PAPER, paste_cell
from app.service.options import ExplainOptions
from app.service.results.explanation import TargetExplanation
from app.service.results.facts import DrawnPicture, Prediction
from app.service.uploads import Upload

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SWEEP_SIDE = 512
"""Pixels of the longer side that a sweep's pictures have at the most: there are many, and all are in one answer."""

_FRAMES_A_LINE = 9


def with_sweeps(
    rows: Sequence[TargetExplanation],
    prediction: Prediction,
    upload: Upload,
    shown: Sequence[ExplainedPicture],
    options: ExplainOptions,
    token: WorkToken,
) -> tuple[TargetExplanation, ...]:
    """Each target's explanation at the size asked for; with its sweep, and what is to be drawn of it, if there is one.

    Args:
        rows: each target at the size asked for, then each at the sweep's others.
        prediction: of the upload.
        upload: as it came.
        shown: the explained picture of each row, shrunk to `SWEEP_SIDE`; not read without a sweep.
        options: `include` says what to draw.
        token: asked before each target.
    """
    if options.sweep is None:
        return tuple(rows)
    rho = rows[0].rho
    asked = [row for row in rows if row.rho == rho]
    at = {(row.target_id, row.rho): place for place, row in enumerate(rows)}
    before = shrink_upload(upload, SWEEP_SIDE)
    explained = []
    for one in asked:
        token.check()
        places = [at[one.target_id, size] for size in options.sweep_sizes(rho)]
        points = [unchanged(one, prediction), *(rows[place] for place in places)]
        explained.append(_with_sweep(one, points, [before, *(shown[place] for place in places)], options))
    return tuple(explained)


def _with_sweep(
    one: TargetExplanation,
    points: Sequence[TargetExplanation],
    shown: Sequence[ExplainedPicture],
    options: ExplainOptions,
) -> TargetExplanation:
    swept = [
        replace(point, pictures=_pictures(picture) if "sweep" in options.include else {}, quality=None, judge=None)
        for point, picture in zip(points, shown, strict=True)
    ]
    frames = [picture.pixels for picture in shown]
    drawn = dict(one.pictures)
    if "film_strip" in options.include:
        drawn["film_strip"] = draw_film_strip(swept, frames)
    if "curve" in options.include:
        png = plot_png(lambda axes: draw_curve(axes, swept))
        drawn["curve"] = DrawnPicture(png, *Image.open(io.BytesIO(png)).size)
    return replace(
        one,
        pictures={name: drawn[name] for name in (*options.include, *drawn) if name in drawn},
        sweep=tuple(swept),
        animation=animate(frames) if "animation" in options.include else None,
    )


def unchanged(one: TargetExplanation, prediction: Prediction) -> TargetExplanation:
    """The upload itself, as the explanation of size 0."""
    return replace(
        one,
        rho=0.0,
        probability_after=one.probability_before,
        margin_after=one.margin_before,
        perturbation_rms=0.0,
        perturbation_l2=0.0,
        steps=0,
        cut_short=False,
        converged=True,
        goal_met=False,
        changed_class_to=None,
        top_after=prediction.top,
    )


def draw_film_strip(swept: Sequence[TargetExplanation], frames: Sequence[NDArray[np.uint8]]) -> DrawnPicture:
    """The frames side by side, in lines of at most nine; under each its size, the target's probability, the class."""
    columns = min(len(frames), _FRAMES_A_LINE)
    lines = -(-len(frames) // columns)
    cell_height = CELL_PIXELS + 3 * LINE_PIXELS + GAP_PIXELS
    strip = Image.new(
        "RGB", (columns * (CELL_PIXELS + GAP_PIXELS) + GAP_PIXELS, lines * cell_height + GAP_PIXELS), PAPER
    )
    for place, (point, frame) in enumerate(zip(swept, frames, strict=True)):
        line, column = divmod(place, columns)
        size = f"RMS {point.perturbation_rms:.3f}" if point.rho else "upload"
        probability = f"p({point.target}) {point.probability_after:.2f}"
        changed = f"now {point.changed_class_to}" if point.changed_class_to else ""
        top = GAP_PIXELS + line * cell_height
        paste_cell(strip, column, top, Image.fromarray(frame), [size, probability, changed])
    file = io.BytesIO()
    strip.save(file, format="PNG")
    return DrawnPicture(file.getvalue(), strip.width, strip.height)


def draw_curve(axes: "Axes", swept: Sequence[TargetExplanation]) -> None:
    """The target's probability against the RMS that the change has; a mark each, filled once the class has changed."""
    sizes = [point.perturbation_rms for point in swept]
    probabilities = [point.probability_after for point in swept]
    axes.plot(sizes, probabilities, color=COLORS[0])
    for changed, color, label in ((False, "white", "same class"), (True, COLORS[0], "class changed")):
        marked = [place for place, point in enumerate(swept) if (point.changed_class_to is not None) is changed]
        axes.plot(
            [sizes[place] for place in marked],
            [probabilities[place] for place in marked],
            linestyle="none",
            marker="o",
            color=COLORS[0],
            markerfacecolor=color,
            clip_on=False,
            label=label,
        )
    verb = "more" if swept[0].direction == "encourage" else "less"
    than = "" if swept[0].against is None else f" than {swept[0].against}"
    axes.set(
        title=f"{verb} {swept[0].target}{than}".replace("$", r"\$"),  # a dollar sign would begin a formula
        xlabel="size of the change, RMS of [0, 1]",
        ylabel="probability of the target",
        ylim=(-0.02, 1.02),
    )
    axes.set_xlim(left=0)
    axes.margins(x=0.02)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", frameon=False)


def _pictures(shown: ExplainedPicture) -> Mapping[str, DrawnPicture]:
    return {"explained": DrawnPicture(shown.png, shown.width, shown.height)}
