"""Image files to one tensor, decoded in several threads and fitted to one size."""

import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.errors import DataError, ImageError
from app.images.decode import DecodedImage, DecodeLimits, decode_here
from app.images.fit import Fit, fitting
from app.training.folders import ImageFile

LIMITS = DecodeLimits(max_bytes=50 * 2**20, max_pixels=50_000_000, max_seconds=60)
THREADS = min(16, os.cpu_count() or 1)
AT_ONCE = 16
MEMORY_BYTES = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")

# What a zip's entry adds to OSError: damage (BadZipFile, the three packers' errors, a name that is no text), a password
# (RuntimeError), and a packer that this Python lacks (NotImplementedError, which is a RuntimeError).
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, UnicodeDecodeError, RuntimeError)

Tell = Callable[[int, int], None]
"""Told how many of how many images are decoded."""


@dataclass(frozen=True)
class Shape:
    """What every image is made into: height and width in pixels, 1 or 3 channels, and how another shape is fitted."""

    height: int
    width: int
    channels: int
    fit: Fit


@dataclass(frozen=True)
class Seen:
    """What one file turned out to be; `wrong` is a sentence where it could not be read, and the rest then empty."""

    height: int = 0
    width: int = 0
    grey: bool = True
    wrong: str = ""


def read_pictures(
    files: Sequence[ImageFile], shape: Shape, limits: DecodeLimits, tell: Tell
) -> tuple[Tensor, list[Seen]]:
    """Pixels uint8 (n, channels, height, width), anything at all where a file cannot be read, and what was seen.

    Raises:
        DataError: the pixels would take more than half of this machine's memory.
    """
    require_memory(len(files), shape)
    pixels = torch.empty(len(files), shape.channels, shape.height, shape.width, dtype=torch.uint8)

    def read(at: int) -> Seen:
        image = _decoded(files[at], limits)
        if isinstance(image, str):
            return Seen(wrong=image)
        pixels[at] = fitted(image.floats(), shape)
        return _seen(image)

    return pixels, list(_in_threads(read, len(files), tell))


def require_memory(count: int, shape: Shape) -> None:
    """Raise `DataError` where the pixels of so many images would take more than half of this machine's memory."""
    size = count * shape.channels * shape.height * shape.width
    if size > MEMORY_BYTES // 2:
        raise DataError(
            f"{count} images of {shape.height} x {shape.width} pixels take {size / 2**30:.1f} GiB, more than half of"
            " this machine's memory; ask for a smaller height and width."
        )


def look(files: Sequence[ImageFile], limits: DecodeLimits) -> list[Seen]:
    """What files turn out to be, without keeping their pixels."""
    images = (_decoded(file, limits) for file in files)
    return [Seen(wrong=image) if isinstance(image, str) else _seen(image) for image in images]


def fitted(pixels: NDArray[np.float32], shape: Shape) -> Tensor:
    """RGB pixels (h, w, 3) in [0, 1] as uint8 (channels, height, width), rounded."""
    height, width, _ = pixels.shape
    way = fitting(height, width, height=shape.height, width=shape.width, channels=shape.channels, fit=shape.fit)
    return (way.to_network(pixels) * 255).round().to(torch.uint8)


def _decoded(file: ImageFile, limits: DecodeLimits) -> DecodedImage | str:
    """The image, or a sentence on why there is none."""
    try:
        return decode_here(file.read(limits.max_bytes + 1), limits)
    except ImageError as error:
        return str(error)
    except UNREADABLE:
        return "The file cannot be read: it is gone, locked or damaged."


def _seen(image: DecodedImage) -> Seen:
    red, green, blue = np.moveaxis(image.pixels, 2, 0)
    return Seen(image.height, image.width, grey=np.array_equal(red, green) and np.array_equal(red, blue))


def _in_threads(work: Callable[[int], Seen], count: int, tell: Tell) -> Iterator[Seen]:
    """`work` on each number below `count`, in order. Some at a time: waking a thread costs as much as a small image."""
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="load")
    shares = [range(at, min(at + AT_ONCE, count)) for at in range(0, count, AT_ONCE)]
    try:
        for share, seen in zip(shares, pool.map(lambda share: [work(at) for at in share], shares), strict=True):
            tell(share.stop, count)
            yield from seen
    finally:
        pool.shutdown(cancel_futures=True)  # whoever presses Ctrl-C waits for the images in hand and no others
