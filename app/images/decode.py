"""Untrusted bytes to upright RGB pixels, within bounds on bytes, pixels and time.

Time is bounded by decoding in one of a few threads and waiting no longer than allowed. Pillow decodes without the
interpreter's lock, so whoever waits gets the answer on time. A worker process could be killed as well, but would cost a
copy of every image and an interpreter to start and watch; instead the thread that is given up ends by itself: its next
read of the file fails, and formats that are read at once (WebP, compressed TIFF) are bounded by their pixels.
Until then it holds one of `DECODE_THREADS`, so that hostile uploads cannot pile up. The readers of DICOM, PDF and HEIC
know no such bounds, and do run in a process (`app.images.apart`); the thread waits for it.
"""

import hashlib
import io
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from app.errors import AexError, DamagedImage, DecodeTimeout, EmptyImage, NotAnImage, TooManyPixels, UploadTooLarge
from app.images.apart.process import read_apart
from app.images.apart.raster import MAX_SIDE
from app.images.bands import bands
from app.images.heap import give_back_freed_memory
from app.images.pixels import FIRST_OF_SEVERAL, Pixels, rgb_pixels
from app.images.selection import MAIN, Selected, Selection, choose_one, refuse_frame, refuse_page, refuse_window
from app.images.signature import format_by_signature, has_zero_size
from app.images.tiff_pages import from_page, page_places

# The plugins are imported above, so that the first requests do not race to register them.
READERS = (PngImagePlugin, JpegImagePlugin, WebPImagePlugin, BmpImagePlugin, TiffImagePlugin, GifImagePlugin)
HERE = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
APART = {"DICOM": "DICOM", "ZIP": "DICOM", "PDF": "PDF", "HEIC": "HEIC"}
"""What a file of each kind holds; of zips, series of DICOM files alone are read."""
FORMATS = (*HERE, *dict.fromkeys(APART.values()))
ACCEPTED = "PNG, JPEG, WebP, BMP, TIFF, GIF, DICOM, PDF or HEIC"
Read = TypeVar("Read")

DECODE_THREADS = 4
MAX_JPEG_SCANS = 500  # each scan costs a pass over all pixels for a few bytes; real progressive files have about ten
START_OF_SCAN = b"\xff\xda"

MOST_PIXELS = 500_000_000
"""That limits may allow. Pillow's own bound, 89 megapixels, is less than a scan may have: it is raised to this, and
ours is asked first."""

LARGE_PIXELS = 4_000_000
"""Above it, what Pillow needed beside the pixels is given back at once."""

_threads = ThreadPoolExecutor(DECODE_THREADS, thread_name_prefix="decode")

# Broken metadata around good pixels is nobody's concern here, and Pillow would print it. Damage to pixels is an error.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
Image.MAX_IMAGE_PIXELS = MOST_PIXELS
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


@dataclass(frozen=True)
class DecodeLimits:
    """Bounds on one upload: bytes, pixels (width * height, read from the header before decoding) and seconds."""

    max_bytes: int
    max_pixels: int
    max_seconds: float

    def __post_init__(self) -> None:
        if self.max_pixels > MOST_PIXELS:
            raise ValueError(f"max_pixels is {self.max_pixels}; at most {MOST_PIXELS} are read")


@dataclass(frozen=True)
class DecodedImage:
    """An upload as decoded, turned upright.

    Attributes:
        pixels: RGB (height, width, 3), uint8, or uint16 where the file holds 16 bits.
        format: one of `FORMATS`.
        width, height: in pixels, after EXIF orientation.
        sha256: of the uploaded bytes.
        selected: which page or frame was taken, and the window of a DICOM file's levels.
        notes: sentences on what decoding had to decide, such as which frame was taken.
    """

    pixels: Pixels
    format: str
    width: int
    height: int
    sha256: str
    selected: Selected
    notes: tuple[str, ...]

    def floats(self, rows: slice = slice(None)) -> NDArray[np.float32]:
        """The pixels, or some rows of them, as float32 in [0, 1], (height, width, 3)."""
        return np.divide(self.pixels[rows], np.iinfo(self.pixels.dtype).max, dtype=np.float32)

    def eight_bits(self, rows: slice = slice(None)) -> NDArray[np.uint8]:
        """The pixels, or some rows of them, to look at: uint8 (height, width, 3)."""
        pixels = self.pixels[rows]
        if pixels.dtype == np.uint8:
            return pixels.astype(np.uint8, copy=False)
        eight = np.empty(pixels.shape, dtype=np.uint8)
        for band in bands(*pixels.shape[:2]):
            eight[band] = np.rint(pixels[band] / 257)
        return eight


def decode(data: bytes, limits: DecodeLimits, wanted: Selection = MAIN) -> DecodedImage:
    """Decode one image: of several pages or frames the one that is wanted.

    Raises:
        EmptyImage: no bytes, or no width or height.
        NotAnImage: none of `FORMATS`, or a kind of it whose levels have no agreed meaning.
        DamagedImage: truncated or corrupt.
        NoSuchPart: the page, frame or window that is wanted cannot be had of it.
        UploadTooLarge, TooManyPixels, DecodeTimeout, DecodeTooLarge: beyond the limits.
    """
    return in_time(data, limits, lambda deadline: _decode(data, limits, deadline, wanted))


def in_time(data: bytes, limits: DecodeLimits, work: Callable[[float], Read]) -> Read:
    """What `work` makes of the bytes of an upload, in one of the threads for it.

    Args:
        data: at least one byte, and no more than the limits allow.
        limits: of them `max_seconds` is waited for.
        work: is told its deadline, of `time.monotonic`.

    Raises:
        EmptyImage, UploadTooLarge, DecodeTimeout: as `decode` does; and whatever the work raises.
    """
    _require_bytes(data, limits)
    working = _threads.submit(work, time.monotonic() + limits.max_seconds)
    try:
        return working.result(limits.max_seconds)
    except TimeoutError:
        working.cancel()
        raise _too_slow(limits) from None


def promised_pixels(data: bytes, limits: DecodeLimits, wanted: Selection = MAIN) -> int | None:
    """Width times height as the header says, before anything is decoded; None where a process apart has to be asked.

    Of what will be refused it is 0.
    """
    if format_by_signature(data) in APART:
        return None
    try:
        with open_here(_choose_page(data, wanted)[0], limits, time.monotonic() + limits.max_seconds) as image:
            return image.width * image.height
    except Exception:  # noqa: BLE001 - whoever decodes it says what is wrong
        return 0


def decode_here(data: bytes, limits: DecodeLimits) -> DecodedImage:
    """`decode` in the calling thread, for many files of one's own: waking another takes as long as a small image.

    Time is then bounded only between reads of the bytes.
    """
    _require_bytes(data, limits)
    return _decode(data, limits, time.monotonic() + limits.max_seconds, MAIN)


def _require_bytes(data: bytes, limits: DecodeLimits) -> None:
    if not data:
        raise EmptyImage(f"The image has no bytes; send the bytes of a {ACCEPTED} file.")
    if len(data) > limits.max_bytes:
        raise UploadTooLarge(f"The image has {len(data)} bytes; at most {limits.max_bytes} are accepted.")


def _decode(data: bytes, limits: DecodeLimits, deadline: float, wanted: Selection) -> DecodedImage:
    """`decode`, in its thread."""
    name = format_by_signature(data)
    if name in APART:
        raster = read_apart(name, data, wanted, max_pixels=limits.max_pixels, max_seconds=limits.max_seconds)
        name, pixels, selected, notes = APART[name], raster.pixels, raster.selected, tuple(raster.notes)
        if pixels.shape[2] == 1:
            pixels = np.broadcast_to(pixels, (*pixels.shape[:2], 3))  # no memory of its own
    else:
        name, pixels, selected, notes = _decode_by_pillow(data, limits, deadline, wanted)
    height, width = pixels.shape[:2]
    return DecodedImage(pixels, name, width, height, hashlib.sha256(data).hexdigest(), selected, notes)


def _decode_by_pillow(
    data: bytes, limits: DecodeLimits, deadline: float, wanted: Selection
) -> tuple[str, Pixels, Selected, tuple[str, ...]]:
    with pillows_errors_as_ours(limits):
        data, selected = _choose_page(data, wanted)
        image = open_here(data, limits, deadline)
        if selected.page is None:
            selected = _choose_frame(image, wanted)
        pixels, notes = rgb_pixels(image, lambda: open_here(data, limits, deadline))
        name = _format(image)
        image.close()  # Pillow's TIFF is a circle of references, which would hold its copy of the pixels for long
        if pixels.size > 3 * LARGE_PIXELS:
            give_back_freed_memory()
    several = (selected.pages or selected.frames or 1) > 1
    if several and wanted.page is None and wanted.frame is None:
        notes = (FIRST_OF_SEVERAL, *notes)
    return name, pixels, selected, notes


@contextmanager
def pillows_errors_as_ours(limits: DecodeLimits) -> Iterator[None]:
    """Whatever Pillow raises on hostile bytes is the bytes' fault and becomes one of ours."""
    try:
        yield
    except AexError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels(limits) from None
    except _DeadlinePassedError:
        raise _too_slow(limits) from None
    except Exception:  # noqa: BLE001 - Pillow's plugins raise a dozen kinds, and may quote the file in them
        raise DamagedImage("The image is truncated or damaged; it could not be decoded to its end.") from None


def _choose_page(data: bytes, wanted: Selection) -> tuple[bytes, Selected]:
    """A TIFF that begins with the page that is wanted; any other file as it is."""
    if format_by_signature(data) != "TIFF" or not (places := page_places(data)):
        return data, Selected()
    refuse_frame(wanted, "TIFF")
    refuse_window(wanted, "TIFF")
    number = choose_one("page", wanted.page, len(places))
    return from_page(data, places[number - 1]), Selected(page=number, pages=len(places))


def _choose_frame(image: ImageFile.ImageFile, wanted: Selection) -> Selected:
    """Turn to the frame that is wanted; the frames before it may have to be decoded, too."""
    name = _format(image)
    refuse_page(wanted, name)
    refuse_window(wanted, name)
    frames = int(getattr(image, "n_frames", 1))
    number = choose_one("frame", wanted.frame, frames)
    if number > 1:
        image.seek(number - 1)
    return Selected(frame=number, frames=frames)


def open_here(data: bytes, limits: DecodeLimits, deadline: float) -> ImageFile.ImageFile:
    """Read the header and check what it promises; pixels are not decoded yet."""
    try:
        image = Image.open(_TimedBytes(data, deadline), formats=HERE)
    except UnidentifiedImageError:
        raise unidentified(data) from None
    if image.width * image.height > limits.max_pixels:
        raise _too_many_pixels(limits)
    if max(image.size) > MAX_SIDE:
        raise TooManyPixels(f"The image is too long; at most {MAX_SIDE} pixels are accepted on a side.")
    if _format(image) == "JPEG" and data.count(START_OF_SCAN) > MAX_JPEG_SCANS:
        raise DamagedImage(f"The JPEG has more than {MAX_JPEG_SCANS} scans, which no camera or editor writes.")
    return image


def _format(image: ImageFile.ImageFile) -> str:
    """One of `FORMATS`; a JPEG that holds several pictures calls itself MPO."""
    return "JPEG" if image.format == "MPO" else str(image.format)


def unidentified(data: bytes) -> AexError:
    """What is wrong with bytes that no reader here takes."""
    name = format_by_signature(data)
    if name is None:
        return NotAnImage(f"These bytes are no image that is read here; send {ACCEPTED}.")
    if has_zero_size(data):
        return EmptyImage(f"The {name} has a width or height of zero; send an image of at least one pixel.")
    return DamagedImage(f"The file begins as a {name}, but its header is damaged or of a kind that is not read.")


def _too_many_pixels(limits: DecodeLimits) -> TooManyPixels:
    return TooManyPixels(f"The image has too many pixels; at most {limits.max_pixels} (width * height) are accepted.")


def _too_slow(limits: DecodeLimits) -> DecodeTimeout:
    return DecodeTimeout(f"Decoding took longer than {limits.max_seconds:g} s; send a smaller or simpler image.")


class _DeadlinePassedError(Exception):
    pass


class _TimedBytes(io.BytesIO):
    """Bytes that can be read until a deadline (of `time.monotonic`)."""

    def __init__(self, data: bytes, deadline: float) -> None:
        super().__init__(data)
        self._deadline = deadline

    def read(self, size: int | None = -1, /) -> bytes:
        if time.monotonic() > self._deadline:
            raise _DeadlinePassedError
        return super().read(size)
