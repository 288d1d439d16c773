"""Changes of an image as pictures: heatmap, perturbation, and the explained image itself.

Images are float32 RGB (height, width, 3) in [0, 1]. A change is float32 (height, width, channels) in pixel levels, NaN
where the network never saw the image: there nothing is coloured, the picture is greyed and hatched.
"""

import io
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.images.bands import Smaller, bands
from app.images.color_bar import PAPER, ColorBar, draw_color_bar, drawing_unit, drawn_width
from app.images.color_maps import LEVELS, ColorMap, HeatmapKind, color_map
from app.images.png import PictureRoom, PngWriter, png_of

Overlay = Literal["original", "grayscale", "none"]
Floats = NDArray[np.float32]
Level = TypeVar("Level", bound=np.generic)

# A picture of 8 bits cannot show less. An automatic scale below it would blow rounding up into a pattern.
LEAST_AUTO_SCALE = 1 / 255
STRONGEST_ALPHA = 0.9
READABLE_SIDE = 256
LONGEST_SIDE_ENLARGED = 2048

MID_GREY = 0.5
UNSEEN_LEVEL = 0.72
HATCH_LEVEL = 0.45
HATCH_PERIOD = 12
HATCH_WIDTH = 2
UNSEEN_OPACITY = 0.7

TITLES: dict[HeatmapKind, str] = {
    "signed": "change of pixel level, mean of channels",
    "magnitude": "change of pixel level, RMS of channels",
}
UNSEEN_NOTE = "hatched: not seen by the network"


@dataclass(frozen=True)
class HeatmapPicture:
    """A heatmap with its colour bar.

    Attributes:
        png: the file.
        width, height: of the file, in pixels; the map is at its top left.
        enlarged: whole factor, 1 or more: the map is the image's width and height times this.
        scale: pixel level at the end of the colour bar.
        color_map: name of the map.
    """

    png: bytes
    width: int
    height: int
    enlarged: int
    scale: float
    color_map: str


@dataclass(frozen=True)
class PerturbationPicture:
    """A change around mid-grey, multiplied by `gain` and clipped; the image's own width and height."""

    png: bytes
    width: int
    height: int
    gain: float


@dataclass(frozen=True)
class ExplainedPicture:
    """The changed image, and the very pixels that its file holds, uint8 (height, width, 3)."""

    png: bytes
    width: int
    height: int
    pixels: NDArray[np.uint8]


def draw_heatmap(
    image: Floats,
    change: Floats,
    *,
    kind: HeatmapKind = "signed",
    overlay: Overlay = "original",
    scale: float | Literal["auto"],
    color_map_name: str | None = None,
    meaning: str | None = None,
) -> HeatmapPicture:
    """Where and how much an image changes.

    Args:
        image: (h, w, 3), what the map lies on.
        change: (h, w, c).
        kind: mean over channels, in diverging colours, or RMS over channels, in sequential ones.
        overlay: on the image, on its greyscale, or alone. On an image the map is the more opaque the larger the change.
        scale: pixel level at the end of the colour bar, above 0; "auto" for the map's largest absolute value, but at
            least `LEAST_AUTO_SCALE`. Values beyond it take the end's colour.
        color_map_name: None for a colour-blind-safe one.
        meaning: what the bar says is shown, where it is not a change of pixel level.

    Raises:
        OptionError: a colour map unknown or of the wrong kind.
    """
    end = auto_scale(largest_value(change, kind)) if scale == "auto" else float(scale)
    painter = HeatmapPainter(
        *change.shape[:2],
        kind=kind,
        overlay=overlay,
        scale=end,
        color_map_name=color_map_name,
        meaning=meaning,
        unseen=bool(np.isnan(change).any()),
    )
    for band in bands(*change.shape[:2]):
        painter.push(image[band], change[band])
    return painter.finish()


def largest_value(change: Floats, kind: HeatmapKind) -> float:
    """The largest absolute value that a heatmap shows of a change, or of some rows of it; 0 where nothing was seen."""
    values = np.abs(_values(change, kind))
    return float(np.nan_to_num(values, nan=0.0).max(initial=0.0))


def auto_scale(largest: float) -> float:
    """The end of the colour bar for a map whose largest absolute value this is."""
    return max(largest, LEAST_AUTO_SCALE)


class HeatmapPainter:
    """Draws a heatmap, as `draw_heatmap`, of rows as they come.

    Args:
        height, width: of the image.
        kind, overlay, color_map_name, meaning: as of `draw_heatmap`.
        scale: pixel level at the end of the colour bar, above 0.
        unseen: whether there will be parts that the network never saw.
        room: the file's bytes are counted there.

    Raises:
        OptionError: a colour map unknown or of the wrong kind.
    """

    def __init__(
        self,
        height: int,
        width: int,
        *,
        kind: HeatmapKind,
        overlay: Overlay,
        scale: float,
        color_map_name: str | None,
        meaning: str | None = None,
        unseen: bool,
        room: PictureRoom | None = None,
    ) -> None:
        self._kind = kind
        self._overlay = overlay
        self._colors = color_map(color_map_name, kind)
        self._alpha = _alpha(kind, overlay)
        self._scale = scale
        self._title = TITLES[kind] if meaning is None else meaning
        self._unseen = unseen
        self._largest = 0.0
        self._factor = readable_enlargement(height, width)
        self._size = height * self._factor, width * self._factor
        self._writer = PngWriter(drawn_width(self._size[1]), room)

    def push(self, image: Floats, change: Floats) -> None:
        """The next rows of the image (n, w, 3) and of its change (n, w, c)."""
        values = _values(change, self._kind)
        unseen = np.isnan(values)
        values = np.nan_to_num(values, nan=0.0, copy=False)
        self._largest = max(self._largest, float(np.abs(values).max(initial=0.0)))
        picture = _background(image, self._overlay)
        _lay_over(picture, _levels(values / self._scale, self._kind), self._colors.table, self._alpha)
        picture, unseen = _enlarge(picture, self._factor), _enlarge(unseen, self._factor)
        _mark_unseen(picture, unseen, self._writer.height, drawing_unit(*self._size))
        self._writer.push(_padded(eight_bits(picture), self._writer.width))

    def finish(self) -> HeatmapPicture:
        """The file, once all rows were pushed."""
        beyond = self._largest > self._scale * 1.0001
        bar = _bar(self._kind, self._colors, self._alpha, self._scale, self._title, beyond=beyond, unseen=self._unseen)
        self._writer.push(draw_color_bar(*self._size, bar))
        png = self._writer.finish()
        return HeatmapPicture(
            png, self._writer.width, self._writer.height, self._factor, self._scale, self._colors.name
        )


def draw_perturbation(change: Floats, *, scale: float) -> PerturbationPicture:
    """Mid-grey + gain * change, (h, w, c); the gain brings a change of `scale` to black or white."""
    painter = PerturbationPainter(*change.shape[:2], scale=scale)
    for band in bands(*change.shape[:2]):
        painter.push(change[band])
    return painter.finish()


class PerturbationPainter:
    """The same, of rows as they come; `height`, `width` of the image, and `room` as of `HeatmapPainter`."""

    def __init__(self, height: int, width: int, *, scale: float, room: PictureRoom | None = None) -> None:
        self._unit = drawing_unit(height, width)
        self._gain = MID_GREY / scale
        self._writer = PngWriter(width, room)

    def push(self, change: Floats) -> None:
        """The next rows of the change, (n, w, c)."""
        picture = np.broadcast_to(MID_GREY + self._gain * change, (*change.shape[:2], 3)).astype(np.float32)
        unseen = np.isnan(picture[:, :, 0])
        np.nan_to_num(picture, nan=MID_GREY, copy=False)
        _mark_unseen(picture, unseen, self._writer.height, self._unit)
        self._writer.push(eight_bits(picture))

    def finish(self) -> PerturbationPicture:
        """The file, once all rows were pushed."""
        return PerturbationPicture(self._writer.finish(), self._writer.width, self._writer.height, self._gain)


def draw_explained(image: Floats, change: Floats, longest_side: int | None = None) -> ExplainedPicture:
    """The image with its change, as `explained_pixels`, as `draw_pixels` draws it."""
    return draw_pixels(explained_pixels(image, change), longest_side)


def explained_pixels(image: Floats, change: Floats) -> NDArray[np.uint8]:
    """The image with its change, clamped to [0, 1] and rounded to 8 bits; unseen parts as they were.

    A change of one channel is added to red, green and blue alike, which adds it to the luminance.
    """
    changed = np.nan_to_num(change, nan=0.0)
    return eight_bits(image + changed)


def draw_pixels(pixels: NDArray[np.uint8], longest_side: int | None = None) -> ExplainedPicture:
    """The very pixels (h, w, 3); with a side longer than `longest_side` they are shrunk to that."""
    height, width = pixels.shape[:2]
    painter = PixelPainter(height, width, longest_side)
    for band in bands(height, width):
        painter.push(np.float32(1 / 255) * pixels[band])
    return painter.finish()


class PixelPainter:
    """The same, of pixels in [0, 1] as their rows come: of a large picture only the small one is ever whole.

    Args:
        height, width: of the picture, in pixels.
        longest_side: pixels that its longer side is brought to, by area, if that is shorter.
    """

    def __init__(self, height: int, width: int, longest_side: int | None) -> None:
        self._smaller = Smaller(height, width, longest_side)
        self._drawn: list[NDArray[np.uint8]] = []

    def push(self, rows: Floats) -> None:
        """The next rows, (n, width, 3)."""
        self._drawn.append(eight_bits(self._smaller.push(rows)))

    def finish(self) -> ExplainedPicture:
        """The picture, once all rows were pushed."""
        pixels = np.concatenate(self._drawn)
        return ExplainedPicture(png_of(pixels), self._smaller.width, self._smaller.height, pixels)


def draw_for_page(png: bytes, longest_side: int) -> bytes:
    """A picture of ours again, as a page shows it: a small one in whole squares, a large one shrunk."""
    with Image.open(io.BytesIO(png)) as picture:
        factor = readable_enlargement(picture.height, picture.width)
        drawn: Image.Image = picture  # which is not copied where it is large
        if factor > 1:
            drawn = picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.NEAREST)
        drawn.thumbnail((longest_side, longest_side))
        file = io.BytesIO()
        drawn.save(file, "PNG")
    return file.getvalue()


def _levels(relative: Floats, kind: HeatmapKind) -> NDArray[np.intp]:
    """Values relative to the scale, as places in a table of `LEVELS` colours; zero of a signed map is its middle."""
    place = (relative + 1) / 2 if kind == "signed" else relative
    places: NDArray[np.intp] = np.rint(np.clip(place, 0, 1) * (LEVELS - 1)).astype(np.intp)
    return places


def _alpha(kind: HeatmapKind, overlay: Overlay) -> Floats:
    """Opacity of each of `LEVELS` colours: everywhere 1 for a map alone, else growing from 0 at no change."""
    if overlay == "none":
        return np.ones(LEVELS, dtype=np.float32)
    size = np.abs(np.linspace(-1 if kind == "signed" else 0, 1, LEVELS, dtype=np.float32))
    return np.float32(STRONGEST_ALPHA) * size


def _lay_over(picture: Floats, level: NDArray[np.intp], table: NDArray[np.uint8], alpha: Floats) -> None:
    """Mix in place, by each pixel's level. Weighed in the small tables, to spare pictures of full size on the way."""
    picture *= (1 - alpha)[level][:, :, None]
    picture += (alpha[:, None] * table / np.float32(255))[level]


def _background(image: Floats, overlay: Overlay) -> Floats:
    if overlay == "original":
        return image.astype(np.float32)
    if overlay == "grayscale":
        return np.repeat(image.mean(axis=2, keepdims=True, dtype=np.float32), 3, axis=2)
    return np.full(image.shape, MID_GREY, dtype=np.float32)


def readable_enlargement(height: int, width: int) -> int:
    """The factor that makes a small image's shorter side readable, bounded where the other side is very long."""
    readable = -(-READABLE_SIDE // min(height, width))
    return max(1, min(readable, LONGEST_SIDE_ENLARGED // max(height, width)))


def _enlarge(picture: NDArray[Level], factor: int) -> NDArray[Level]:
    if factor == 1:
        return picture
    return picture.repeat(factor, axis=0).repeat(factor, axis=1)


def _values(change: Floats, kind: HeatmapKind) -> Floats:
    """What a heatmap shows of a change (h, w, c), (h, w); NaN where it was not seen."""
    values: Floats = change.mean(axis=2) if kind == "signed" else np.sqrt(np.square(change).mean(axis=2))
    return values


def _padded(rows: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    """On paper of that width, at its left."""
    if rows.shape[1] == width:
        return rows
    paper = np.full((len(rows), width, 3), PAPER, dtype=np.uint8)
    paper[:, : rows.shape[1]] = rows
    return paper


def _mark_unseen(picture: Floats, unseen: NDArray[np.bool_], top: int, unit: int) -> None:
    """Grey and hatch, in place, what the network never saw, leaving the image to be recognized under it.

    The rows begin at row `top` of the picture; `unit` is as of `drawing_unit`.
    """
    if not unseen.any():
        return
    rows, columns = np.nonzero(unseen)
    on_line = (top + rows + columns) % (HATCH_PERIOD * unit) < HATCH_WIDTH * unit
    grey = picture[rows, columns].mean(axis=1, keepdims=True)
    veil = np.where(on_line, HATCH_LEVEL, UNSEEN_LEVEL)[:, None]
    picture[rows, columns] = grey + UNSEEN_OPACITY * (veil - grey)


def _bar(
    kind: HeatmapKind, colors: ColorMap, alpha: Floats, end: float, title: str, *, beyond: bool, unseen: bool
) -> ColorBar:
    number = f"{end:.3g}"
    labels: tuple[tuple[float, str], ...] = ((0, "0"), (1, f"{number} and above" if beyond else number))
    if kind == "signed":
        lowest, highest = f"-{number}", f"+{number}"
        labels = (
            (0, f"{lowest} and below" if beyond else lowest),
            (0.5, "0"),
            (1, f"{highest} and above" if beyond else highest),
        )
    return ColorBar(colors.table, alpha, title, labels, UNSEEN_NOTE if unseen else "")


def eight_bits(picture: Floats) -> NDArray[np.uint8]:
    """Levels of [0, 1], clamped, to the nearest of 8 bits."""
    levels: NDArray[np.uint8] = np.rint(np.clip(picture, 0, 1) * np.float32(255)).astype(np.uint8)
    return levels
