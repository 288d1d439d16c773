"""Several explanations on one picture: each image with its targets side by side."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from app.service.results.explanation import TargetExplanation
from app.service.results.facts import DrawnPicture, Prediction

DRAWN_FROM = ("heatmap", "explained")
"""Pictures of each target that a sheet shows."""

CELL_PIXELS = 192
SHOWN_SIDE = 4 * CELL_PIXELS
"""Pixels of the longer side that is enough of a picture for its cell."""

GAP_PIXELS = 12
TEXT_PIXELS = 14
LINE_PIXELS = 18
TARGETS_A_LINE = 5
INK, PAPER = (30, 30, 30), (255, 255, 255)


@dataclass(frozen=True)
class SheetRow:
    """One image of a sheet: its pixels, uint8 (height, width, 3), and explanations that have `DRAWN_FROM`."""

    pixels: NDArray[np.uint8]
    prediction: Prediction
    explanations: Sequence[TargetExplanation]


def draw_sheet(rows: Sequence[SheetRow]) -> DrawnPicture:
    """All rows: the upload with its prediction, then heatmap and explained picture of each target.

    More targets than a line has room for go on in the next.
    """
    counts = [len(row.explanations) for row in rows]
    lines = [-(-count // TARGETS_A_LINE) for count in counts]
    columns = 1 + 2 * min(max(counts), TARGETS_A_LINE)
    line_height = CELL_PIXELS + 3 * LINE_PIXELS + GAP_PIXELS
    size = columns * (CELL_PIXELS + GAP_PIXELS) + GAP_PIXELS, sum(lines) * line_height + GAP_PIXELS
    sheet = Image.new("RGB", size, PAPER)
    for number, row in enumerate(rows):
        top = GAP_PIXELS + sum(lines[:number]) * line_height
        best = row.prediction.best
        paste_cell(
            sheet,
            0,
            top,
            Image.fromarray(row.pixels),
            ["upload", f"read as {best.name}", f"p = {best.probability:.2f}"],
        )
        for place, one in enumerate(row.explanations):
            line, column = divmod(place, TARGETS_A_LINE)
            at = top + line * line_height
            verb = "more" if one.direction == "encourage" else "less"
            than = "" if one.against is None else f" than {one.against}"
            about = [f"{verb} {one.target}{than}", f"RMS {one.perturbation_rms:.3f}, L2 {one.perturbation_l2:.2f}"]
            paste_cell(sheet, 1 + 2 * column, at, _open(one, "heatmap"), about)
            paste_cell(sheet, 2 + 2 * column, at, _open(one, "explained"), _outcome(one))
    file = io.BytesIO()
    sheet.save(file, format="PNG")
    return DrawnPicture(file.getvalue(), sheet.width, sheet.height)


def _outcome(one: TargetExplanation) -> list[str]:
    changed = f"now read as {one.changed_class_to}" if one.changed_class_to else "still read the same"
    return [f"p({one.target})", f"{one.probability_before:.2f} to {one.probability_after:.2f}", changed]


def _open(one: TargetExplanation, name: str) -> Image.Image:
    return Image.open(io.BytesIO(one.pictures[name].png))


def paste_cell(sheet: Image.Image, column: int, top: int, picture: Image.Image, lines: Sequence[str]) -> None:
    """Put a picture, fitted into its cell, with up to three lines of text under it."""
    factor = min(CELL_PIXELS / picture.width, CELL_PIXELS / picture.height)
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    how = Image.Resampling.NEAREST if factor > 1 else Image.Resampling.LANCZOS
    left = GAP_PIXELS + column * (CELL_PIXELS + GAP_PIXELS)
    sheet.paste(picture.resize(size, how), (left, top))
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT_PIXELS)
    for number, line in enumerate(lines):
        draw.text((left, top + CELL_PIXELS + number * LINE_PIXELS), line, INK, font)
