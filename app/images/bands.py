"""Large images, band of rows by band of rows: what is made of each pixel as floats need never be whole in memory."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

BAND_PIXELS = 80_000
"""Of a band at the most, if a row has no more. A float32 RGB band takes 12 bytes a pixel, and drawing some ten such."""


def bands(height: int, width: int) -> Iterator[slice]:
    """The rows of an image of this size, cut into bands; of one size always alike."""
    step = max(1, BAND_PIXELS // width)
    for first in range(0, height, step):
        yield slice(first, min(first + step, height))


class AreaMeans:
    """Shrinks an image's rows by area as they come; where they are to stay as many, they pass unchanged.

    Args:
        length: rows that will come.
        size: rows that they become, at most as many.
    """

    def __init__(self, length: int, size: int) -> None:
        self._length = length
        self._size = size
        self._come = 0
        self._done = 0
        self._sum: NDArray[np.float32] | None = None

    def push(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next rows (n, w, c); returns those that are complete by now (m, w, c), which may be none."""
        if self._length == self._size:
            return rows
        first_come, self._come = self._come, self._come + len(rows)
        flat = np.ascontiguousarray(rows).reshape(len(rows), -1)
        complete = []
        while self._done < self._size:
            first, weights = area_under(self._done, self._length, self._size)
            begin, end = max(first, first_come), min(first + len(weights), self._come)
            if begin < end:
                self._add(
                    np.einsum(
                        "i,ij->j", weights[begin - first : end - first], flat[begin - first_come :][: end - begin]
                    )
                )
            if first + len(weights) > self._come or self._sum is None:
                break
            complete.append(self._sum)
            self._sum = None
            self._done += 1
        return np.array(complete, dtype=np.float32).reshape(len(complete), *rows.shape[1:])

    def _add(self, part: NDArray[np.float32]) -> None:
        self._sum = part if self._sum is None else self._sum + part


class Smaller:
    """Shrinks a picture by area, both ways, as its rows come: its longer side to `side`, if that is shorter.

    Args:
        height, width: of the picture, in pixels.
        side: pixels; None to leave it as it is.
    """

    def __init__(self, height: int, width: int, side: int | None) -> None:
        self.height, self.width = smaller_size(height, width, side)
        self._wide = width
        self._means = AreaMeans(height, self.height)

    def push(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Take the next rows (n, width, c); returns those of the smaller picture that are complete. NaN spreads."""
        return self._means.push(rows if self.width == self._wide else shrink(rows, 1, self.width))


def smaller_size(height: int, width: int, side: int | None) -> tuple[int, int]:
    """Height and width of a picture whose longer side is brought to `side`, if that is shorter."""
    longer = max(height, width)
    if side is None or side >= longer:
        return height, width
    return max(1, round(height * side / longer)), max(1, round(width * side / longer))


def shrink(pixels: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    """By area, one axis of (h, w, c). Each output needs only the few inputs under it, so no full matrix product."""
    lines = np.ascontiguousarray(np.moveaxis(pixels, axis, 0))
    flat = lines.reshape(len(lines), -1)
    shrunk = np.empty((size, flat.shape[1]), dtype=np.float32)
    for out in range(size):
        first, weights = area_under(out, len(lines), size)
        np.einsum("i,ij->j", weights, flat[first : first + len(weights)], out=shrunk[out])
    return np.moveaxis(shrunk.reshape(size, *lines.shape[1:]), 0, axis)


def area_under(out: int, length: int, size: int) -> tuple[int, NDArray[np.float32]]:
    """The first of `length` pixels under output pixel `out` of `size`, and the share of it that each covers; sum 1."""
    # In units of 1 / size of a pixel all edges are whole numbers, so whole multiples give exactly equal weights.
    left, right = out * length, (out + 1) * length
    first, last = left // size, (right - 1) // size
    starts = np.arange(first, last + 1) * size
    covered = np.minimum(starts + size, right) - np.maximum(starts, left)
    return first, (covered / length).astype(np.float32)
