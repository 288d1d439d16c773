"""How many pages or frames a file has, and files that say they have very many."""

import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from app.errors import DamagedImage, EmptyImage, ImageError, NoSuchPart, NotAnImage, UploadTooLarge
from app.images.decode import DecodeLimits
from app.images.parts import PartKind, count_parts
from tests.images.apart.bombs import chain
from tests.images.apart.files import dicom_file, grey_dicom, heic, pdf
from tests.images.apart.test_series import SERIES, zipped
from tests.images.files import encoded, gradient
from tests.images.test_tiff_pages import tiff_of

LIMITS = DecodeLimits(max_bytes=20_000_000, max_pixels=1_000_000, max_seconds=30)
RED, BLUE = Image.new("RGB", (8, 6), "red"), Image.new("RGB", (8, 6), "blue")


def moving(file_format: str) -> bytes:
    return encoded(RED, file_format, save_all=True, append_images=[BLUE, RED])


@pytest.mark.parametrize(
    ("data", "kind", "count"),
    [
        (pdf(b"", b"", b""), "page", 3),
        (tiff_of(), "page", 3),
        (tiff_of(big_tiff=True), "page", 3),
        (encoded(gradient(), "TIFF"), "page", 1),
        (dicom_file("SC_rgb_rle_2frame.dcm"), "frame", 2),
        (dicom_file("MR_small.dcm"), "frame", 1),
        (zipped(SERIES), "frame", 5),
        (zipped({"cine": dicom_file("SC_rgb_rle_2frame.dcm")}), "frame", 2),
        (heic(RED, BLUE), "frame", 2),
        (moving("GIF"), "frame", 3),
        (moving("PNG"), "frame", 3),
        (moving("WEBP"), "frame", 3),
        (encoded(gradient(), "JPEG"), "frame", 1),
        (encoded(gradient(), "BMP"), "frame", 1),
    ],
)
def test_parts_are_counted(data: bytes, kind: PartKind, count: int) -> None:
    assert count_parts(data, LIMITS, kind) == count


@pytest.mark.parametrize(
    ("data", "kind", "error", "sentence"),
    [
        (pdf(b""), "frame", NoSuchPart, "frame is not for a PDF, which has pages; give page."),
        (tiff_of(), "frame", NoSuchPart, "frame is not for a TIFF, which has pages; give page."),
        (dicom_file("MR_small.dcm"), "page", NoSuchPart, "page is for PDF and TIFF, and the file is a DICOM"),
        (encoded(gradient(), "PNG"), "page", NoSuchPart, "page is for PDF and TIFF, and the file is a PNG"),
        (dicom_file("rtplan.dcm"), "frame", NotAnImage, "Pixel Data"),
        (b"hello", "frame", NotAnImage, "no image that is read here"),
        (b"", "page", EmptyImage, "has no bytes"),
        (bytes(20_000_001), "page", UploadTooLarge, "at most 20000000"),
        (pdf(b"")[:80], "page", DamagedImage, "its pages cannot be found"),
        (encoded(gradient(), "PNG")[:20], "frame", DamagedImage, "damaged"),
        (zipped(SERIES)[:-40], "frame", DamagedImage, "its files cannot be listed"),
    ],
)
def test_what_cannot_be_counted_is_said(data: bytes, kind: PartKind, error: type[ImageError], sentence: str) -> None:
    with pytest.raises(error, match=sentence.replace("(", r"\(")):
        count_parts(data, LIMITS, kind)


def test_a_million_pages_of_a_tiff_are_refused_and_ten_thousand_of_a_pdf_are_counted_soon() -> None:
    began = time.monotonic()
    with pytest.raises(DamagedImage, match="more than 10000 pages"):
        count_parts(chain(1_000_000, last=0), LIMITS, "page")
    assert count_parts(pdf(*[b""] * 10_000), LIMITS, "page") == 10_000
    assert time.monotonic() - began < 10


def test_a_number_of_frames_that_a_file_claims_costs_nothing() -> None:
    began = time.monotonic()
    frames = grey_dicom(np.zeros((2, 2), np.uint8), NumberOfFrames=2_000_000_000)
    assert count_parts(frames, LIMITS, "frame") == 2_000_000_000
    assert time.monotonic() - began < 10


def test_a_zip_of_very_many_files_is_refused() -> None:
    with pytest.raises(DamagedImage, match="more than 10000 files"):
        count_parts(zipped(dict.fromkeys(map(str, range(10_001)), b""), zipfile.ZIP_STORED), LIMITS, "frame")
