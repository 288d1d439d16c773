"""The strip under a heatmap that says what its colours mean."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

LEAST_WIDTH = 240
PIXELS_PER_UNIT = 700  # a picture this wide has text of its plain size; wider ones are shown reduced

FONT_SIZE = 13
MARGIN = 10
ROW = 18
BAR_HEIGHT = 14
CHECK = 5
INK = (40, 40, 40)
PAPER = (255, 255, 255)
CHECK_LEVELS = (255, 215)


@dataclass(frozen=True)
class ColorBar:
    """What the strip shows.

    Attributes:
        colors: RGB uint8 (levels, 3), from the left end to the right.
        alpha: (levels,) in [0, 1]; where the map lets its image through, the bar shows a checkerboard through.
        title: what is measured.
        labels: position along the bar, 0 to 1, and text; in rising order, the first at 0 and the last at 1.
        note: a further line, or "".
    """

    colors: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    title: str
    labels: tuple[tuple[float, str], ...]
    note: str = ""


def drawing_unit(height: int, width: int) -> int:
    """By how much text and lines on a picture of this size are enlarged, 1 or more."""
    return max(1, round(min(width, 2 * height) / PIXELS_PER_UNIT))


def drawn_width(width: int) -> int:
    """Of a picture of this width with its bar, in pixels."""
    return max(width, LEAST_WIDTH)


def draw_color_bar(height: int, width: int, bar: ColorBar) -> NDArray[np.uint8]:
    """The strip under a picture of this size, (rows, `drawn_width`, 3)."""
    unit = drawing_unit(height, width)
    rows = 3 if bar.note else 2
    canvas = Image.new("RGB", (drawn_width(width), unit * (2 * MARGIN + rows * ROW + BAR_HEIGHT)), PAPER)
    _draw_strip(canvas, bar, top=unit * MARGIN, unit=unit)
    return np.asarray(canvas)


def _draw_strip(canvas: Image.Image, bar: ColorBar, *, top: int, unit: int) -> None:
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(FONT_SIZE * unit)
    left, right = unit * MARGIN, canvas.width - unit * MARGIN
    draw.text((left, top), bar.title, INK, font)
    top += unit * ROW
    strip = _strip(bar, right - left, unit)
    canvas.paste(Image.fromarray(strip), (left, top))
    below = top + unit * BAR_HEIGHT
    draw.rectangle((left - 1, top - 1, right, below), outline=INK)
    for place, text in bar.labels:
        at = left + place * (right - 1 - left)
        draw.line((at, below, at, below + 3 * unit), INK, unit)
        # The labels at the ends stay on the paper.
        anchor = {0.0: "la", 1.0: "ra"}.get(place, "ma")
        draw.text((at, below + 4 * unit), text, INK, font, anchor=anchor)
    draw.text((left, below + unit * (ROW + 3)), bar.note, INK, font)


def _strip(bar: ColorBar, width: int, unit: int) -> NDArray[np.uint8]:
    """The bar's pixels, (height, width, 3)."""
    levels = np.rint(np.linspace(0, len(bar.colors) - 1, width)).astype(int)
    alpha = bar.alpha[levels][:, None]
    even, odd = (level + alpha * (bar.colors[levels] - np.float64(level)) for level in CHECK_LEVELS)
    column = (np.arange(width) // (unit * CHECK) % 2 == 0)[:, None]
    lines = [np.where(column, one, other) for one, other in ((even, odd), (odd, even))]
    row = np.arange(unit * BAR_HEIGHT) // (unit * CHECK) % 2
    strip: NDArray[np.uint8] = np.rint(lines).astype(np.uint8)[row]
    return strip
