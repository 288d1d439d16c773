"""Pages of a TIFF, the chain of them, and chains that are made to be followed for ever."""

import numpy as np
import pytest
from PIL import Image

from app.errors import DamagedImage, NoSuchPart
from app.images.decode import DecodedImage, DecodeLimits, decode
from app.images.selection import Selected, Selection
from tests.images.apart.bombs import chain
from tests.images.files import encoded, gradient

LIMITS = DecodeLimits(max_bytes=20_000_000, max_pixels=1_000_000, max_seconds=30)
PAGES = [gradient(), 255 - gradient(), gradient(4, 5)]


def tiff_of(**options: object) -> bytes:
    first, *others = map(Image.fromarray, PAGES)
    return encoded(first, "TIFF", save_all=True, append_images=others, **options)


def page(data: bytes, number: int | None) -> DecodedImage:
    return decode(data, LIMITS, Selection(page=number))


@pytest.mark.parametrize("options", [{}, {"big_tiff": True}, {"compression": "tiff_deflate"}], ids=str)
def test_each_page_is_taken_where_it_is_asked_for(options: dict[str, object]) -> None:
    data = tiff_of(**options)
    for number, pixels in enumerate(PAGES, start=1):
        image = page(data, number)
        np.testing.assert_array_equal(image.pixels, pixels)
        assert (image.selected, image.notes) == (Selected(page=number, pages=3), ())


def test_the_first_page_is_taken_and_said() -> None:
    image = page(tiff_of(), None)
    assert image.selected == Selected(page=1, pages=3)
    assert "the first was taken" in image.notes[0]


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Selection(page=4), "page is 4; this file has 3, counted from 1."),
        (Selection(frame=1), "frame is not for a TIFF, which has pages; give page."),
        (Selection(window=(1, 2)), "window is for the grey levels of DICOM, and the file is a TIFF"),
    ],
)
def test_a_part_that_is_not_there_is_said(wanted: Selection, sentence: str) -> None:
    with pytest.raises(NoSuchPart) as caught:
        decode(tiff_of(), LIMITS, wanted)
    assert sentence in str(caught.value)


def test_a_million_pages_are_refused() -> None:
    with pytest.raises(DamagedImage, match="more than 10000 pages"):
        page(chain(1_000_000, last=0), None)


def test_pages_that_lead_in_a_circle_are_refused() -> None:
    with pytest.raises(DamagedImage, match="lead back"):
        page(chain(3, last=14), None)


def test_the_frames_of_a_moving_picture_are_taken_where_they_are_asked_for() -> None:
    for file_format in ("GIF", "PNG", "WEBP"):
        first, second = Image.new("RGB", (8, 6), "red"), Image.new("RGB", (8, 6), "blue")
        options = {"lossless": True} if file_format == "WEBP" else {}
        data = encoded(first, file_format, save_all=True, append_images=[second], **options)
        image = decode(data, LIMITS, Selection(frame=2))
        assert image.pixels[3, 3].tolist() == [0, 0, 255]
        assert image.selected == Selected(frame=2, frames=2)
