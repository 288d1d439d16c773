"""A zip of DICOM files, as viewers and archives export a series: its slices in the order in which they lie."""

import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom import Dataset, dcmread

from app.errors import DamagedImage, NotAnImage
from app.images.apart.dicom import count_frames, read_dicom
from app.images.apart.raster import Raster
from app.images.selection import Selected, Selection, choose_one, refuse_page
from app.images.signature import is_dicom

MAX_FILES = 10_000
HEADER_BYTES = 65_536  # what a slice says of itself is rarely longer; where it is, the whole file is read
ORDER = ("SeriesInstanceUID", "ImagePositionPatient", "ImageOrientationPatient", "InstanceNumber", "Rows")


@dataclass(frozen=True)
class _Slice:
    """A file of the zip: its series, and where in it, which sorts."""

    file: zipfile.ZipInfo
    series: str
    place: tuple[float, float, int]


def read_series(data: bytes, wanted: Selection, max_pixels: int) -> Raster:
    """One slice: the middle one unless another is asked for. Of a single file, its frame."""
    refuse_page(wanted, "zipped DICOM series")
    with _opened(data) as archive:
        slices, notes = _slices(archive)
        if len(slices) == 1:
            return read_dicom(archive.read(slices[0].file), wanted, max_pixels)
        count = len(slices)
        number = choose_one("frame", wanted.frame, count, default=(count + 1) // 2)
        raster = read_dicom(archive.read(slices[number - 1].file), Selection(window=wanted.window), max_pixels)
    if wanted.frame is None:
        notes.append(f"Slice {number} of {count}, the middle one, was taken; frame=N takes another.")
    selected = Selected(frame=number, frames=count, window=raster.selected.window)
    return Raster(raster.pixels, selected, [*notes, *raster.notes])


def count_slices(data: bytes) -> int:
    """How many slices the series has; of a single file, how many frames."""
    with _opened(data) as archive:
        slices, _ = _slices(archive)
        return count_frames(archive.read(slices[0].file)) if len(slices) == 1 else len(slices)


def file_of_frame(data: bytes, number: int) -> tuple[bytes, int]:
    """The DICOM file that frame `number` is of, and which frame of that file it is: a file by itself, or a slice."""
    if is_dicom(data):
        return data, number
    with _opened(data) as archive:
        slices, _ = _slices(archive)
        if len(slices) == 1:
            return archive.read(slices[0].file), number
        return archive.read(slices[number - 1].file), 1


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise DamagedImage("The zip is truncated or damaged; its files cannot be listed.") from None
    files = archive.infolist()
    if len(files) > MAX_FILES:
        raise DamagedImage(f"The zip has more than {MAX_FILES} files; send one series.")
    if any(file.flag_bits & 1 for file in files):
        raise NotAnImage("The zip is encrypted; send it without a password.")
    return archive


def _slices(archive: zipfile.ZipFile) -> tuple[list[_Slice], list[str]]:
    """Those of the largest series, in order; and a word on the others."""
    try:
        found = list(_headers(archive))
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - zipfile and pydicom raise many kinds, and may quote the file in them
        raise DamagedImage("A file of the zip is truncated or damaged.") from None
    if not found:
        raise NotAnImage("The zip holds no DICOM image; send the files of one series, or one image by itself.")
    sizes = Counter(one.series for one in found)
    largest, _ = sizes.most_common(1)[0]
    notes = [] if len(sizes) == 1 else [f"Of {len(sizes)} series in the zip the one with most slices was taken."]
    return sorted((one for one in found if one.series == largest), key=lambda one: one.place), notes


def _headers(archive: zipfile.ZipFile) -> Iterator[_Slice]:
    for number, file in enumerate(archive.infolist()):
        with archive.open(file) as stream:
            head = stream.read(HEADER_BYTES)
            if not is_dicom(head):
                continue
            header = _header(head)
            if header is None:
                header = _header(head + stream.read())
        if header is not None and "Rows" in header:
            yield _Slice(file, str(header.get("SeriesInstanceUID")), (*_where(header), number))


def _header(data: bytes) -> Dataset | None:
    """What tells slices apart; None where the data ends before."""
    try:
        return dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=list(ORDER))
    except EOFError:
        return None


def _where(header: Dataset) -> tuple[float, float]:
    """Along the normal of the slice, then by number."""
    position, orientation = header.get("ImagePositionPatient"), header.get("ImageOrientationPatient")
    along = 0.0
    if position is not None and orientation is not None and len(position) == 3 and len(orientation) == 6:
        row, column = np.array(orientation, dtype=float).reshape(2, 3)
        along = float(np.cross(row, column) @ np.array(position, dtype=float))
    return along, float(_number(header.get("InstanceNumber")))


def _number(value: Any) -> float:  # noqa: ANN401 - whatever a file says
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
