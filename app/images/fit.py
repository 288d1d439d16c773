"""How an image of any shape meets a network of one shape, and how a map over the network's input goes back to it.

Shrinking is by area (A): each pixel of the network's input is the mean of the image's pixels under it. Enlarging is by
interpolation (L), linear for images and cubic, which shows no creases, for maps. One is no inverse of the other:
averaging an interpolated map flattens its peaks. So a map is divided by what both together do to it, M = A L (its rows
sum to 1, so a flat map stays flat):

    image larger than the network:  to_network = A,  to_image = L M^-1,  and to_network(to_image(d)) = d
    image smaller:                  to_network = L,  to_image = M^-1 A,  and to_image(to_network(x)) = x

Each axis is treated by itself. M^-1 is left unfinished (`BACK_PROJECTIONS`): good to float32 at whole multiples of the
network's size, to 1e-5 from 1.5 times it. Just above that size (225 pixels for 224) the area mean all but erases the
finest detail, and a true inverse would make up for it with a change a hundred times as large.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from app.images.bands import AreaMeans, area_under, bands, shrink

Fit = Literal["stretch", "letterbox", "center_crop"]
Interpolation = Literal["bilinear", "bicubic"]
Float = TypeVar("Float", bound=np.floating)

LETTERBOX_LEVEL = 0.5
BACK_PROJECTIONS = 16  # each leaves at most half of what was missing, and adds at most the map itself once more
LARGEST_RATIO = 256  # M changes by less than 1e-5 beyond it, and would cost memory without bound
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's "L"; sum 1, so a map added to R, G and B adds to it


@dataclass(frozen=True)
class Box:
    """A rectangle in whole pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def rows(self) -> slice:
        return slice(self.top, self.top + self.height)

    @property
    def columns(self) -> slice:
        return slice(self.left, self.left + self.width)


@dataclass(frozen=True)
class Fitting:
    """One image size fitted to one network input; made by `fitting`.

    Attributes:
        image_height, image_width: of the uploaded image, upright.
        height, width, channels: of the network's input; 1 channel is luminance.
        fit: stretch to the input's shape, letterbox with mid-grey bars, or crop the centre.
        seen: the part of the image that the network sees, in the image's pixels.
        content: where that part lies in the network's input, in the input's pixels.
    """

    image_height: int
    image_width: int
    height: int
    width: int
    channels: int
    fit: Fit
    seen: Box
    content: Box

    def to_network(self, pixels: NDArray[np.float32]) -> Tensor:
        """The network's input, float32 (channels, height, width), of RGB pixels (image_height, image_width, 3)."""
        if pixels.shape != (self.image_height, self.image_width, 3):
            raise ValueError(f"pixels are {pixels.shape}, expected {(self.image_height, self.image_width, 3)}")
        reader = Reader(self)
        for band in bands(self.image_height, self.image_width):
            reader.push(pixels[band])
        return reader.finish()

    def to_image(self, over_input: Tensor) -> NDArray[np.float32]:
        """A map (c, height, width) over the network's input in the image's own pixels, float32 (h, w, c).

        NaN where the network never saw the image; what lies on a letterbox's bars is dropped.
        """
        return Carried(self, over_input).rows(slice(0, self.image_height))


class Reader:
    """Fits an image to a network that comes in bands of rows, of which none is kept.

    How an image is cut into bands changes the last digit of a float32: `bands` cuts all of one size alike.
    """

    def __init__(self, how: Fitting) -> None:
        self._how = how
        self._at = 0
        self._means = AreaMeans(how.seen.height, min(how.seen.height, how.content.height))
        self._read: list[NDArray[np.float32]] = []

    def push(self, rows: NDArray[np.float32]) -> None:
        """The next rows of the image, RGB (n, image_width, 3) in [0, 1]."""
        seen, above = self._how.seen, self._how.seen.top - self._at
        part = rows[max(0, above) : max(0, above + seen.height)]
        self._at += len(rows)
        if len(part):
            self._read.append(self._means.push(part[:, seen.columns].astype(np.float32, copy=False)))

    def finish(self) -> Tensor:
        """The network's input, float32 (channels, height, width), once all rows have been pushed."""
        how = self._how
        resized = _resize(np.concatenate(self._read), how.content.height, how.content.width)
        if how.channels == 1:
            resized = resized @ np.array(LUMINANCE, dtype=np.float32)[:, None]
        framed = np.full((how.height, how.width, how.channels), LETTERBOX_LEVEL, dtype=np.float32)
        framed[how.content.rows, how.content.columns] = resized
        return torch.from_numpy(np.ascontiguousarray(framed.transpose(2, 0, 1)))


class Carried:
    """A map over the network's input in the image's own pixels, of which any rows can be had: whole, it may be huge.

    Args:
        how: the fitting of the image.
        over_input: (c, height, width).
    """

    def __init__(self, how: Fitting, over_input: Tensor) -> None:
        if over_input.shape[1:] != (how.height, how.width):
            raise ValueError(f"map is {tuple(over_input.shape)}, expected (c, {how.height}, {how.width})")
        content = over_input.detach().float().cpu().numpy()[:, how.content.rows, how.content.columns]
        self.how = how
        self._lines = _carry_back(content.transpose(1, 2, 0), how.seen.height, how.seen.width)
        self._between = None
        if len(self._lines) != how.seen.height:
            each = np.eye(len(self._lines), dtype=np.float32)[:, :, None]
            self._between = _enlarge(each, how.seen.height, len(self._lines), "bicubic")[:, :, 0]

    @property
    def sees_all(self) -> bool:
        """Whether the network saw all of the image."""
        return (self.how.seen.height, self.how.seen.width) == (self.how.image_height, self.how.image_width)

    def seen_rows(self, rows: slice) -> NDArray[np.float32]:
        """As far as they lie in the part that was seen: float32 (n, width of that, c)."""
        seen = self.how.seen
        first, last = (min(max(0, at - seen.top), seen.height) for at in (rows.start, rows.stop))
        if self._between is None or first == last:
            return self._lines[first:last].copy()
        weights = self._between[first:last]
        used = np.flatnonzero(weights.any(axis=0))
        near = slice(int(used[0]), int(used[-1]) + 1)
        lines = self._lines[near]
        between: NDArray[np.float32] = weights[:, near] @ lines.reshape(len(lines), -1)
        return between.reshape(last - first, *lines.shape[1:])

    def rows(self, rows: slice) -> NDArray[np.float32]:
        """Of the whole image, float32 (n, image_width, c); NaN where it was not seen."""
        how, seen = self.how, self.how.seen
        part = self.seen_rows(rows)
        if (seen.width, len(part)) == (how.image_width, rows.stop - rows.start):
            return part
        whole = np.full((rows.stop - rows.start, how.image_width, part.shape[2]), np.nan, dtype=np.float32)
        above = max(0, seen.top - rows.start)
        whole[above : above + len(part), seen.columns] = part
        return whole


def fitting(
    image_height: int,
    image_width: int,
    *,
    height: int,
    width: int,
    channels: int,
    fit: Fit,
    region: Box | None = None,
) -> Fitting:
    """Fit images of one size, at least 1x1, or a region within, to a network's input. Pixels; channels 1 or 3."""
    if min(image_height, image_width, height, width) < 1 or channels not in (1, 3):
        raise ValueError("an image and a network's input need a height and width of 1 or more, and 1 or 3 channels")
    seen = Box(0, 0, image_width, image_height) if region is None else region
    content = Box(0, 0, width, height)
    if fit == "letterbox":
        content = _largest_within(width, height, seen.width / seen.height)
    elif fit == "center_crop":
        inner = _largest_within(seen.width, seen.height, width / height)
        seen = Box(seen.left + inner.left, seen.top + inner.top, inner.width, inner.height)
    return Fitting(image_height, image_width, height, width, channels, fit, seen, content)


def _largest_within(width: int, height: int, aspect: float) -> Box:
    """The largest centred box of about this width / height, at least one pixel each way."""
    if width > height * aspect:
        inner_width, inner_height = max(1, round(height * aspect)), height
    else:
        inner_width, inner_height = width, max(1, min(height, round(width / aspect)))
    return Box((width - inner_width) // 2, (height - inner_height) // 2, inner_width, inner_height)


def _resize(pixels: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """(h, w, c) to another size, each axis by area where that shrinks it, else by linear interpolation."""
    for axis, size in enumerate((height, width)):
        if pixels.shape[axis] > size:
            pixels = shrink(pixels, axis, size)
    return _enlarge(pixels, height, width, "bilinear")


def _carry_back(over_input: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """(h, w, c) over the network's input to the image's width: the inverse of `_resize`, but for enlarging its rows."""
    for axis, size in enumerate((height, width)):
        length = over_input.shape[axis]
        if length < size:
            over_input = _along(axis, _undo(length, size, "bicubic"), over_input)
        elif length > size:
            over_input = _along(axis, _undo(size, length, "bilinear"), shrink(over_input, axis, size))
    return _enlarge(over_input, over_input.shape[0], width, "bicubic")


def _enlarge(pixels: NDArray[Float], height: int, width: int, mode: Interpolation) -> NDArray[Float]:
    """(h, w, c) interpolated between pixel centres; an axis that has its size already stays as it is."""
    if pixels.shape[:2] == (height, width):
        return pixels
    if width == pixels.shape[1] == 1:
        # Antialiased, torch 2.14 fills images of one pixel's width with their first row; of one pixel's height not.
        return _enlarge(pixels.swapaxes(0, 1), width, height, mode).swapaxes(0, 1)
    planes = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None]
    # Antialiasing does nothing to an enlargement, but takes one axis after the other: a third of the time.
    enlarged = functional.interpolate(planes, size=(height, width), mode=mode, align_corners=False, antialias=True)
    return enlarged[0].permute(1, 2, 0).numpy()


@lru_cache(maxsize=64)
def _undo(small: int, large: int, mode: Interpolation) -> NDArray[np.float32]:
    """M^-1 (small, small), M being interpolation from `small` to `large` and then the area mean back.

    The sum of (I - M)^k for k below `BACK_PROJECTIONS`: start from nothing and add what is missing, that often.
    """
    large = min(large, LARGEST_RATIO * small)
    area = np.zeros((small, large))
    for out in range(small):
        first, weights = area_under(out, large, small)
        area[out, first : first + len(weights)] = weights
    interpolation = _enlarge(np.eye(small)[:, :, None], large, small, mode)[:, :, 0]
    rest = np.eye(small) - area @ interpolation
    inverse = np.eye(small)
    for _ in range(BACK_PROJECTIONS - 1):
        inverse = np.eye(small) + rest @ inverse
    return inverse.astype(np.float32)


def _along(axis: int, matrix: NDArray[np.float32], pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The matrix applied along one axis of (h, w, c)."""
    product: NDArray[np.float32] = np.moveaxis(np.tensordot(matrix, pixels, axes=(1, axis)), 0, axis)
    return product
