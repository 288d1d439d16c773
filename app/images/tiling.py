"""A large image in overlapping tiles, and the maps of its tiles joined to one without seams.

Each tile's map is weighed by a window that falls from 1 to 0 over the overlap, along a cosine, and all weights at a
pixel are divided by their sum: they are a partition of unity, so that equal maps join to the map that they are, and
where one tile ends its share has come down to nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.images.fit import Box, Carried

MAX_OVERLAP = 0.5
"""Share of a side. Beyond it a pixel would lie in more than two tiles a direction, for no smoother a map."""


@dataclass(frozen=True)
class Tiling:
    """Tiles of one size that cover a part of an image; the last of a row or column is moved inwards, onto the others.

    Attributes:
        part: of the image, that they cover.
        side: of a tile, in the image's pixels; cut to what the part has.
        overlap: of two neighbours, as a share of the side, from 0 to `MAX_OVERLAP`.
    """

    part: Box
    side: int
    overlap: float

    @property
    def counts(self) -> tuple[int, int]:
        """How many rows and columns of tiles there are."""
        return len(self._starts(self.part.height)), len(self._starts(self.part.width))

    @property
    def ramp_pixels(self) -> int:
        """Over which a tile's share falls."""
        return self.side - self._stride

    def boxes(self) -> list[Box]:
        """Of the tiles, row by row, in the image's pixels."""
        height, width = min(self.side, self.part.height), min(self.side, self.part.width)
        return [
            Box(self.part.left + left, self.part.top + top, width, height)
            for top in self._starts(self.part.height)
            for left in self._starts(self.part.width)
        ]

    @property
    def _stride(self) -> int:
        return max(1, round(self.side * (1 - self.overlap)))

    def _starts(self, length: int) -> Sequence[int]:
        last = max(0, length - self.side)
        return [*range(0, last, self._stride), last]


def least_side(part: Box, overlap: float, most_tiles: int) -> int:
    """Of tiles of which at most so many, 1 or more, cover a part; pixels."""
    low, high = 1, max(part.height, part.width)
    while low < high:
        middle = (low + high) // 2
        rows, columns = Tiling(part, middle, overlap).counts
        low, high = (low, middle) if rows * columns <= most_tiles else (middle + 1, high)
    return high


class Joined:
    """The maps of a grid of tiles as one map over the image, of which any rows can be had.

    Args:
        tiles: each in the image's own pixels.
        ramp_pixels: over which a tile's share falls towards each of its edges.
    """

    def __init__(self, tiles: Sequence[Carried], ramp_pixels: int) -> None:
        self._tiles = tiles
        self._width = tiles[0].how.image_width
        self._down = [_window(one.how.seen.height, ramp_pixels) for one in tiles]
        self._across = [_window(one.how.seen.width, ramp_pixels) for one in tiles]
        rows, columns = np.zeros(tiles[0].how.image_height, dtype=bool), np.zeros(self._width, dtype=bool)
        for one in tiles:
            rows[one.how.seen.rows] = columns[one.how.seen.columns] = True
        self._sees_all = bool(rows.all() and columns.all())  # of a grid it is enough to look along both sides

    @property
    def sees_all(self) -> bool:
        """Whether the tiles cover the image."""
        return self._sees_all

    def rows(self, rows: slice) -> NDArray[np.float32]:
        """Some rows of the joined map, float32 (n, image_width, c); NaN where no tile lies."""
        total: NDArray[np.float32] | None = None
        weight = np.zeros((rows.stop - rows.start, self._width, 1), dtype=np.float32)
        for one, down, across in zip(self._tiles, self._down, self._across, strict=True):
            part, seen = one.seen_rows(rows), one.how.seen
            if total is None:
                total = np.zeros((*weight.shape[:2], part.shape[2]), dtype=np.float32)
            if not len(part):
                continue
            within, above = max(0, rows.start - seen.top), max(0, seen.top - rows.start)
            here = slice(above, above + len(part)), seen.columns
            share = (down[within : within + len(part), None] * across)[:, :, None]
            total[here] += share * part
            weight[here] += share
        if total is None:
            raise ValueError("there is no tile to join")
        with np.errstate(invalid="ignore"):  # nothing by nothing is what was not seen
            return np.divide(total, weight, out=total)


def _window(length: int, ramp_pixels: int) -> NDArray[np.float32]:
    """A tile's share along one side: 1, and within the ramp of each edge sin^2 of the way to it; nowhere quite 0."""
    from_edge = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    if not ramp_pixels:
        return np.ones(length, dtype=np.float32)
    share: NDArray[np.float32] = (np.sin(np.pi / 2 * np.minimum(1, from_edge / ramp_pixels)) ** 2).astype(np.float32)
    return share
