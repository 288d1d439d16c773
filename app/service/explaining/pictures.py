"""From a perturbation, carried to the upload's own pixels, to the pictures asked for: band by band of rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.engine.token import WorkToken
from app.images.bands import Smaller
from app.images.png import PictureRoom, PngWriter
from app.images.render import (
    ExplainedPicture,
    HeatmapPainter,
    HeatmapPicture,
    PerturbationPainter,
    PixelPainter,
    auto_scale,
    eight_bits,
    explained_pixels,
    largest_value,
)
from app.service.options import ExplainOptions
from app.service.results.facts import DrawnPicture
from app.service.uploads import Upload

Floats = NDArray[np.float32]


class TakesRows(Protocol):
    """Whatever is made of a picture as its rows come, such as what a network is shown of it."""

    def push(self, rows: Floats) -> object:
        """The next rows, RGB (n, width, 3) in [0, 1]."""


class Map(Protocol):
    """A map in the image's own pixels, such as `app.images.fit.Carried`."""

    @property
    def sees_all(self) -> bool:
        """Whether it is a number everywhere."""

    def rows(self, rows: slice) -> Floats:
        """Some rows of it, (n, image_width, c); NaN where the image was not seen."""


@dataclass(frozen=True)
class Style:
    """How pictures are drawn: as the options say, by the model's own scale where they say none; and their room."""

    options: ExplainOptions
    default_scale: float
    room: PictureRoom

    @property
    def scale(self) -> float:
        """Of what has no scale of its own: pixel level that is brought to black or white."""
        return self.options.scale_or(self.default_scale)

    @property
    def is_auto(self) -> bool:
        return self.options.scale == "auto"


@dataclass(frozen=True)
class Band:
    """Some rows: of the image, of the change that is sent, and of the picture that is sent, uint8."""

    image: Floats
    change: Floats
    sent: NDArray[np.uint8]


def draw_original(upload: Upload, side: int | None, room: PictureRoom) -> DrawnPicture:
    """The upload as it was read: upright, on white, 8 bit."""
    smaller = _smaller(upload, side)
    writer = PngWriter(smaller.width, room)
    for rows in upload.bands():
        pixels = upload.decoded.eight_bits(rows)
        writer.push(pixels if _is_whole(upload, side) else eight_bits(smaller.push(np.float32(1 / 255) * pixels)))
    png = writer.finish()
    return DrawnPicture(png, writer.width, writer.height)


def draw(
    upload: Upload, carried: Map, style: Style, readers: Sequence[TakesRows], token: WorkToken
) -> Mapping[str, DrawnPicture]:
    """Draw one target's pictures, and let others have the picture that is sent, which is nowhere kept.

    Heatmap and perturbation show the change that is really sent, after clamping and rounding, not the one asked for: on
    white paper, what would be brighter than white is no change.

    Args:
        upload: what is changed.
        carried: the perturbation.
        style: which pictures, and how.
        readers: get the picture that is sent.
        token: asked before each band.

    Raises:
        OptionError: the pictures take more room than there is.
        Cancelled, DeadlineExceeded: the token is over.
    """
    asked = style.options.include
    heatmap = _heatmap(upload, carried, style, token) if "heatmap" in asked else None
    smaller, side = _smaller(upload, style.options.picture_side), style.options.picture_side
    perturbation = PerturbationPainter(smaller.height, smaller.width, scale=style.scale, room=style.room)
    explained, of_sent = PngWriter(smaller.width, style.room), _smaller(upload, side)
    for whole, shown in _shown(upload, carried, side, token):
        sent = np.float32(1 / 255) * whole.sent
        for reader in readers:
            reader.push(sent)
        if heatmap is not None:
            heatmap.push(shown.image, shown.change)
        if "perturbation" in asked:
            perturbation.push(shown.change)
        if "explained" in asked:
            explained.push(whole.sent if _is_whole(upload, side) else eight_bits(of_sent.push(sent)))
    pictures: dict[str, DrawnPicture] = {}
    for name in asked:
        if name == "heatmap" and heatmap is not None:
            pictures[name] = _drawn(heatmap.finish())
        elif name == "perturbation":
            drawn = perturbation.finish()
            pictures[name] = DrawnPicture(drawn.png, drawn.width, drawn.height, gain=drawn.gain)
        elif name == "explained":
            png = explained.finish()
            pictures[name] = DrawnPicture(png, explained.width, explained.height)
    return pictures


def read_sent(upload: Upload, carried: Map, readers: Sequence[TakesRows], token: WorkToken) -> None:
    """Let others have the picture that is sent, of which nothing is drawn; raises as `draw` does."""
    for whole in _bands(upload, carried, token):
        sent = np.float32(1 / 255) * whole.sent
        for reader in readers:
            reader.push(sent)


def shrink_upload(upload: Upload, longest_side: int) -> ExplainedPicture:
    """The upload as it was read, its longer side brought to so many pixels if that is shorter."""
    painter = PixelPainter(upload.decoded.height, upload.decoded.width, longest_side)
    for rows in upload.bands():
        painter.push(np.float32(1 / 255) * upload.decoded.eight_bits(rows))
    return painter.finish()


def draw_map(upload: Upload, carried: Map, style: Style, meaning: str, token: WorkToken) -> DrawnPicture:
    """The heatmap of a map that is no change of pixels; `meaning` is written at its bar. Raises as `draw` does."""
    side = style.options.picture_side
    of_image, of_map = _smaller(upload, side), _smaller(upload, side)
    largest = 0.0
    if style.is_auto:
        for rows in upload.bands():
            token.check()
            largest = max(largest, largest_value(of_map.push(carried.rows(rows)), style.options.heatmap))
        of_map = _smaller(upload, side)
    painter = _painter(upload, carried, style, auto_scale(largest) if style.is_auto else style.scale, meaning)
    for rows in upload.bands():
        token.check()
        painter.push(of_image.push(upload.decoded.floats(rows)), of_map.push(carried.rows(rows)))
    return _drawn(painter.finish())


def _heatmap(upload: Upload, carried: Map, style: Style, token: WorkToken) -> HeatmapPainter:
    """With an automatic scale the picture is walked over once before."""
    scale = style.scale
    if style.is_auto:
        shown = _shown(upload, carried, style.options.picture_side, token)
        scale = auto_scale(max(largest_value(band.change, style.options.heatmap) for _, band in shown))
    return _painter(upload, carried, style, scale)


def _painter(upload: Upload, carried: Map, style: Style, scale: float, meaning: str | None = None) -> HeatmapPainter:
    options, smaller = style.options, _smaller(upload, style.options.picture_side)
    return HeatmapPainter(
        smaller.height,
        smaller.width,
        kind=options.heatmap,
        overlay=options.overlay,
        scale=scale,
        color_map_name=options.color_map,
        meaning=meaning,
        unseen=not carried.sees_all,
        room=style.room,
    )


def _bands(upload: Upload, carried: Map, token: WorkToken) -> Iterator[Band]:
    for rows in upload.bands():
        token.check()
        image, moved = upload.decoded.floats(rows), carried.rows(rows)
        sent = explained_pixels(image, moved)
        change = sent * np.float32(1 / 255) - image
        if not carried.sees_all:
            change[np.isnan(moved).any(axis=2)] = np.nan
        yield Band(image, change, sent)


def _shown(upload: Upload, carried: Map, side: int | None, token: WorkToken) -> Iterator[tuple[Band, Band]]:
    """Each band, and as far as it is drawn: of a smaller picture those rows that are complete by then."""
    of_image, of_change = _smaller(upload, side), _smaller(upload, side)
    for whole in _bands(upload, carried, token):
        yield whole, Band(of_image.push(whole.image), of_change.push(whole.change), whole.sent)


def _smaller(upload: Upload, side: int | None) -> Smaller:
    return Smaller(upload.decoded.height, upload.decoded.width, side)


def _is_whole(upload: Upload, side: int | None) -> bool:
    return side is None or side >= max(upload.decoded.height, upload.decoded.width)


def _drawn(heatmap: HeatmapPicture) -> DrawnPicture:
    return DrawnPicture(
        heatmap.png,
        heatmap.width,
        heatmap.height,
        scale=heatmap.scale,
        color_map=heatmap.color_map,
        enlarged=heatmap.enlarged,
    )
