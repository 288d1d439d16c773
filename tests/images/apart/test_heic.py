"""HEIC as phones write it."""

from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.errors import DamagedImage, ImageError, NoSuchPart, TooManyPixels
from app.images.decode import DecodedImage, DecodeLimits, decode
from app.images.selection import Selected, Selection
from tests.images.apart.bombs import empty_heics
from tests.images.apart.files import heic
from tests.images.files import gradient

LIMITS = DecodeLimits(max_bytes=1_000_000, max_pixels=100_000, max_seconds=30)
PICTURE = Image.fromarray(np.kron(gradient(), np.ones((8, 8, 1), np.uint8)))
OTHER = PICTURE.rotate(180)


def read(data: bytes, **wanted: Any) -> DecodedImage:
    return decode(data, LIMITS, Selection(**wanted))


def test_a_picture_keeps_its_pixels() -> None:
    image = read(heic(PICTURE))
    np.testing.assert_array_equal(image.pixels, np.asarray(PICTURE))
    assert (image.format, image.selected, image.notes) == ("HEIC", Selected(frame=1, frames=1), ())


def test_the_main_picture_is_taken_and_said() -> None:
    image = read(heic(PICTURE, OTHER, primary=1))
    np.testing.assert_array_equal(image.pixels, np.asarray(OTHER))
    assert (image.selected, image.notes) == (Selected(frame=2, frames=2), ("Picture 2 of 2 was taken.",))


def test_another_picture_is_taken_where_it_is_asked_for() -> None:
    image = read(heic(PICTURE, OTHER, primary=1), frame=1)
    np.testing.assert_allclose(
        image.pixels.astype(int), np.asarray(PICTURE), atol=1
    )  # it is only the main one that is exact


def test_a_phone_held_sideways_is_turned_upright_once() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    image = read(heic(PICTURE, exif=exif.tobytes()))
    np.testing.assert_array_equal(image.pixels, np.rot90(np.asarray(PICTURE), -1))


def test_transparent_parts_are_laid_on_white_and_said() -> None:
    clear = PICTURE.copy()
    clear.putalpha(0)
    image = read(heic(clear))
    assert (image.pixels.min(), image.notes) == (255, ("Transparent parts were laid on white.",))


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"frame": 2}, "frame is 2; this file has 1, counted from 1."),
        ({"page": 1}, "page is for PDF and TIFF, and the file is a HEIC"),
        ({"window": (1.0, 2.0)}, "window is for the grey levels of DICOM, and the file is a HEIC"),
    ],
)
def test_a_part_that_is_not_there_is_said(wanted: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NoSuchPart) as caught:
        read(heic(PICTURE), **wanted)
    assert sentence in str(caught.value)


def test_a_file_without_a_picture_is_refused() -> None:
    for data in empty_heics():
        with pytest.raises(DamagedImage, match="holds no picture"):
            read(data)


def test_too_many_pixels_are_refused() -> None:
    with pytest.raises(TooManyPixels, match="at most 100000"):
        read(heic(Image.new("RGB", (400, 300))))


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.5, 0.7, 0.95])
def test_a_truncated_file_is_refused(share: float) -> None:
    whole = heic(PICTURE)
    with pytest.raises(ImageError):
        read(whole[: int(share * len(whole))])
