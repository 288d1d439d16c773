"""From the stored values of a grey DICOM frame to black and white (DICOM PS3.3, C.11.1 and C.11.2)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset

from app.errors import DamagedImage
from app.images.apart.dicom_frames import of_frame
from app.images.bands import bands

WHITE = 65_535
Floats = NDArray[np.float32]

ASKED_WINDOW = "The window asked for was used."
OWN_WINDOW = "The file's own window was used."
OWN_TABLE = "The file's VOI look-up table was used."
FULL_RANGE = "The file has no window: its darkest level became black and its brightest white."
WINDOW_TAGS = "Window Center (0028,1050) or Window Width (0028,1051)"


@dataclass(frozen=True)
class Shown:
    """Pixels (rows, columns, 1 or 3); the window that they were made with, if it was one; sentences."""

    pixels: NDArray[np.uint8 | np.uint16]
    window: tuple[float, float] | None
    notes: list[str]


def show_levels(
    dataset: Dataset, stored: NDArray[Any], number: int, asked: tuple[float, float] | None, *, inverted: bool
) -> Shown:
    """Stored values (rows, columns) of frame `number` as a person is shown them.

    Through the modality's table or line first, to the file's units, then through the window asked for, the file's VOI
    table or its first window. Where there is none of these, 8 bits are shown as they are, and more from the darkest to
    the brightest.
    """
    if stored.ndim != 2:
        raise DamagedImage("The DICOM file's Samples per Pixel (0028,0002) is not 1, and its levels are grey.")
    way = _way_to_share(dataset, stored, number, asked)
    pixels = np.empty((*stored.shape, 1), dtype=np.uint16)
    for band in bands(*stored.shape):
        levels = stored[band]
        share = way.share_of(levels)
        if inverted:
            share = 1 - share
        share[_padding(dataset, levels)] = 0
        np.clip(share, 0, 1, out=share)
        pixels[band, :, 0] = np.rint(share * np.float32(WHITE))
    return Shown(pixels, way.window, way.notes)


@dataclass(frozen=True)
class _Way:
    """From stored values to shares of the way from black to white, unclipped; by which window; sentences."""

    share_of: Callable[[NDArray[Any]], Floats]
    window: tuple[float, float] | None
    notes: list[str]


def _way_to_share(dataset: Dataset, stored: NDArray[Any], number: int, asked: tuple[float, float] | None) -> _Way:
    units = of_frame(dataset, number, "PixelValueTransformationSequence")
    voi = of_frame(dataset, number, "FrameVOILUTSequence")
    own = None if voi.get("VOILUTSequence") else _own_window(voi)
    window = own if asked is None else asked
    if window is not None:
        function = str(voi.get("VOILUTFunction") or "LINEAR")
        note = OWN_WINDOW if asked is None else ASKED_WINDOW
        return _Way(lambda levels: _windowed(_in_units(units, levels), window, function), window, [note])
    if voi.get("VOILUTSequence"):
        return _Way(lambda levels: _through_voi_table(voi, _in_units(units, levels)), None, [OWN_TABLE])
    if int(dataset.BitsStored) <= 8 and stored.dtype.kind == "u":
        white = np.float32(2 ** int(dataset.BitsStored) - 1)
        return _Way(lambda levels: levels.astype(np.float32) / white, None, [])
    darkest, brightest = _range(dataset, units, stored)
    if darkest >= brightest:
        return _Way(lambda levels: np.full(levels.shape, 0.5, dtype=np.float32), None, [FULL_RANGE])
    return _Way(lambda levels: (_in_units(units, levels) - darkest) / (brightest - darkest), None, [FULL_RANGE])


def _padding(dataset: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_]:
    """Where the scanner saw nothing: Pixel Padding Value (0028,0120), or between it and its Range Limit (0028,0121)."""
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int):
        return np.zeros(stored.shape, dtype=np.bool_)
    limit = dataset.get("PixelPaddingRangeLimit")
    lowest, highest = sorted((value, limit if isinstance(limit, int) else value))
    return (stored >= lowest) & (stored <= highest)


def _in_units(settings: Dataset, stored: NDArray[Any]) -> Floats:
    """Through the modality's table, or its line; float32 holds every 16-bit level exactly."""
    if settings.get("ModalityLUTSequence"):
        return _looked_up(settings, "ModalityLUTSequence", stored.astype(np.int64))[0]
    slope, intercept = _number(settings, "RescaleSlope", 1.0), _number(settings, "RescaleIntercept", 0.0)
    return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept)


def _through_voi_table(settings: Dataset, values: Floats) -> Floats:
    looked_up, bits = _looked_up(settings, "VOILUTSequence", np.rint(values).astype(np.int64))
    return looked_up / np.float32(2**bits - 1)


def _looked_up(settings: Dataset, sequence: str, values: NDArray[np.int64]) -> tuple[Floats, int]:
    """Through the first table of a sequence, and how many bits its entries have. Values outside take its ends'."""
    try:
        item = settings[sequence].value[0]
        entries, first, bits = (int(one) for one in item["LUTDescriptor"].value)
        table = _entries(item, entries or 2**16)
        return table[np.clip(values - first, 0, len(table) - 1)], bits
    except (KeyError, IndexError, TypeError, ValueError):
        tags = {
            "ModalityLUTSequence": "Modality LUT Sequence (0028,3000)",
            "VOILUTSequence": "VOI LUT Sequence (0028,3010)",
        }
        raise DamagedImage(f"The DICOM file's {tags[sequence]} is damaged.") from None


def _entries(item: Dataset, count: int) -> Floats:
    """A table's entries, which come as numbers, or as bytes where the file calls them "other words"."""
    data = item["LUTData"].value
    if isinstance(data, bytes):
        order = ">" if item.original_encoding[1] is False else "<"
        data = np.frombuffer(data, dtype=f"{order}u2" if len(data) >= 2 * count else "u1")
    return np.array(data, dtype=np.float32)[:count]


def _own_window(settings: Dataset) -> tuple[float, float] | None:
    """The first window of the file, if it can be used."""
    if "WindowCenter" not in settings or "WindowWidth" not in settings:
        return None
    center, width = _number(settings, "WindowCenter", 0.0), _number(settings, "WindowWidth", 0.0)
    return (center, width) if width > 0 else None


def _number(settings: Dataset, keyword: str, default: float) -> float:
    """The first value of an element."""
    value = settings.get(keyword)
    if value is None:
        return default
    try:
        number = float(value if isinstance(value, str | int | float) else value[0])
    except (TypeError, ValueError, IndexError):
        number = np.nan
    if not np.isfinite(number):
        raise DamagedImage(f"The DICOM file's {WINDOW_TAGS}, or its Rescale Slope (0028,1053), is no number.")
    return number


def _windowed(values: Floats, window: tuple[float, float], function: str) -> Floats:
    """Shares of the way from black to white, unclipped (C.11.2.1.2 and C.11.2.1.3)."""
    center, width = window
    if function == "SIGMOID":
        with np.errstate(over="ignore"):
            share: Floats = 1 / (1 + np.exp(np.float32(-4) * (values - np.float32(center)) / np.float32(width)))
            return share
    if function == "LINEAR" and width >= 1:  # a narrower one is for units finer than whole numbers: then it is exact
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float32)
    return (values - np.float32(center)) / np.float32(width) + np.float32(0.5)


def _range(dataset: Dataset, units: Dataset, stored: NDArray[Any]) -> tuple[np.float32, np.float32]:
    """The lowest and the highest value that the scanner saw; infinities, the first above the second, where none."""
    lowest, highest = np.float32(np.inf), np.float32(-np.inf)
    for band in bands(*stored.shape):
        seen = _in_units(units, stored[band])[~_padding(dataset, stored[band])]
        lowest, highest = min(lowest, seen.min(initial=np.inf)), max(highest, seen.max(initial=-np.inf))
    return lowest, highest
