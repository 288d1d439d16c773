"""Zips of DICOM files."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import generate_uid

from app.errors import DamagedImage, ImageError, NoSuchPart, NotAnImage
from app.images.apart.process import write_apart
from app.images.decode import DecodedImage, DecodeLimits, decode
from app.images.selection import Selected, Selection
from tests.images.apart.files import dicom_file, grey_dataset, written
from tests.images.apart.test_dicom_objects import FACTS

LIMITS = DecodeLimits(max_bytes=10_000_000, max_pixels=1_000_000, max_seconds=30)
LEVELS = {3: 30, 1: 10, 5: 50, 2: 20, 4: 40}  # by place, as they come in the zip


def slice_at(place: int, level: int, series: str = "1.2.3", **others: Any) -> bytes:
    """A slice that lies at this place, numbered against the order in which slices lie."""
    dataset = grey_dataset(np.full((4, 4), level, np.uint8))
    dataset.SOPInstanceUID, dataset.StudyInstanceUID = generate_uid(entropy_srcs=[str(place)]), "1.2"
    dataset.SeriesInstanceUID, dataset.InstanceNumber = series, 100 - place
    dataset.ImageOrientationPatient, dataset.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 2.5 * place]
    for keyword, value in others.items():
        setattr(dataset, keyword, value)
    return written(dataset)


def zipped(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()


SERIES = {f"{number}.png": slice_at(place, level) for number, (place, level) in enumerate(LEVELS.items())}


def shown(data: bytes, **wanted: Any) -> DecodedImage:
    return decode(data, LIMITS, Selection(**wanted))


def test_the_middle_slice_is_taken_and_said() -> None:
    image = shown(zipped(SERIES))
    assert image.eight_bits()[0, 0, 0] == 30
    assert (image.format, image.selected) == ("DICOM", Selected(frame=3, frames=5))
    assert image.notes == ("Slice 3 of 5, the middle one, was taken; frame=N takes another.",)


def test_slices_are_counted_in_the_order_in_which_they_lie() -> None:
    assert [shown(zipped(SERIES), frame=number).eight_bits()[0, 0, 0] for number in range(1, 6)] == [10, 20, 30, 40, 50]


def test_without_a_place_slices_are_counted_by_their_number() -> None:
    nowhere = {
        name: slice_at(place, level, ImagePositionPatient=None)
        for name, (place, level) in zip("abcde", LEVELS.items(), strict=True)
    }
    assert shown(zipped(nowhere), frame=1).eight_bits()[0, 0, 0] == 50


def test_of_several_series_the_largest_is_taken_and_said() -> None:
    scout = {"scout": slice_at(9, 90, series="1.2.4")}
    image = shown(zipped({**scout, **SERIES, "readme.txt": b"no image", "DICOMDIR": b""}))
    assert image.selected.frames == 5
    assert image.notes[0] == "Of 2 series in the zip the one with most slices was taken."


def test_a_single_file_in_a_zip_has_its_own_frames() -> None:
    image = shown(zipped({"cine": dicom_file("SC_rgb_rle_2frame.dcm")}), frame=2)
    assert image.selected == Selected(frame=2, frames=2)


def test_a_window_is_for_slices_too() -> None:
    assert shown(zipped(SERIES), window=(30.5, 2.0)).floats()[0, 0, 0] == pytest.approx(0.5, abs=1e-5)


def test_a_header_longer_than_most_is_read() -> None:
    table = bytes(100_000)
    files = {
        str(place): slice_at(place, level, RedPaletteColorLookupTableData=table) for place, level in LEVELS.items()
    }
    assert shown(zipped(files), frame=2).eight_bits()[0, 0, 0] == 20


def test_an_object_refers_to_the_slice_that_was_taken() -> None:
    made = write_apart(zipped(SERIES), np.zeros((4, 4, 3), np.uint8), replace(FACTS, frame=4), max_seconds=30)
    (referred,) = pydicom.dcmread(io.BytesIO(made)).SourceImageSequence
    assert referred.ReferencedSOPInstanceUID == generate_uid(entropy_srcs=["4"])
    assert "ReferencedFrameNumber" not in referred


@pytest.mark.parametrize(
    ("data", "wanted", "kind", "sentence"),
    [
        (zipped({"a.txt": b"hello"}), {}, NotAnImage, "holds no DICOM image"),
        (zipped({"a": dicom_file("rtplan.dcm")}), {}, NotAnImage, "holds no DICOM image"),
        (zipped(SERIES)[:-40], {}, DamagedImage, "its files cannot be listed"),
        (zipped(SERIES), {"frame": 6}, NoSuchPart, "frame is 6; this file has 5, counted from 1."),
        (zipped(SERIES), {"page": 1}, NoSuchPart, "the file is a zipped DICOM series"),
        (zipped(dict.fromkeys(map(str, range(10_001)), b""), zipfile.ZIP_STORED), {}, DamagedImage, "10000 files"),
    ],
    ids=["text", "plan", "truncated", "beyond", "page", "many"],
)
def test_what_cannot_be_taken_is_said(
    data: bytes, wanted: dict[str, Any], kind: type[ImageError], sentence: str
) -> None:
    with pytest.raises(kind) as caught:
        shown(data, **wanted)
    assert sentence in str(caught.value)


def test_an_encrypted_zip_is_refused() -> None:
    data = bytearray(zipped({"0": SERIES["0.png"]}))
    for mark, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + at] |= 1
    with pytest.raises(NotAnImage, match="encrypted; send it without a password"):
        shown(bytes(data))


def test_a_damaged_slice_is_an_error_of_ours() -> None:
    data = bytearray(zipped(SERIES))
    data[60:90] = bytes(30)
    with pytest.raises(DamagedImage, match="truncated or damaged"):
        shown(bytes(data))
