"""Pages of PDFs, and PDFs that are made to break readers."""

from typing import Any

import pytest

from app.errors import DamagedImage, DecodeTimeout, DecodeTooLarge, EmptyImage, NoSuchPart, NotAnImage
from app.images.decode import DecodedImage, DecodeLimits, decode
from app.images.selection import Selected, Selection
from tests.images.apart.bombs import bomb_of_memory, bomb_of_time, encrypted_pdf
from tests.images.apart.files import pdf

LIMITS = DecodeLimits(max_bytes=10_000_000, max_pixels=1_000_000, max_seconds=30)
RED_LEFT = b"1 0 0 rg 0 0 72 72 re f"
BLUE_BELOW = b"0 0 1 rg 0 0 144 36 re f"
WHITE, RED, BLUE = [255, 255, 255], [255, 0, 0], [0, 0, 255]


def drawn(data: bytes, **wanted: Any) -> DecodedImage:
    return decode(data, LIMITS, Selection(**wanted))


def test_a_page_is_drawn_on_white_upright_in_its_colours() -> None:
    image = drawn(pdf(RED_LEFT))
    assert (image.format, image.width, image.height) == ("PDF", 300, 150)  # 2 inches by 1, of 150 dots
    assert [image.pixels[y, x].tolist() for y, x in ((0, 0), (149, 149), (0, 151), (149, 299))] == [
        RED,
        RED,
        WHITE,
        WHITE,
    ]


def test_the_first_page_is_taken_and_said() -> None:
    image = drawn(pdf(RED_LEFT, BLUE_BELOW))
    assert image.pixels[0, 0].tolist() == RED
    assert image.selected == Selected(page=1, pages=2)
    assert image.notes == ("Page 1 of 2 was drawn at 150 dots an inch.",)


def test_another_page_is_taken_where_it_is_asked_for() -> None:
    image = drawn(pdf(RED_LEFT, BLUE_BELOW), page=2)
    assert [image.pixels[0, 0].tolist(), image.pixels[149, 0].tolist()] == [WHITE, BLUE]
    assert image.selected == Selected(page=2, pages=2)


def test_what_stands_before_the_header_is_skipped() -> None:
    assert drawn(b"From: a mail server\n\n" + pdf(RED_LEFT)).pixels[0, 0].tolist() == RED


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"page": 3}, "page is 3; this file has 2, counted from 1."),
        ({"frame": 1}, "frame is not for a PDF, which has pages; give page."),
        ({"window": (1.0, 2.0)}, "window is for the grey levels of DICOM, and the file is a PDF"),
    ],
)
def test_a_part_that_is_not_there_is_said(wanted: dict[str, Any], sentence: str) -> None:
    with pytest.raises(NoSuchPart) as caught:
        drawn(pdf(RED_LEFT, BLUE_BELOW), **wanted)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("size", [(14_400, 14_400), (2_000_000, 1), (10**9, 10**9)])
def test_a_large_page_is_drawn_with_fewer_dots(size: tuple[int, int]) -> None:
    image = drawn(pdf(RED_LEFT, size=size))
    assert image.width * image.height <= LIMITS.max_pixels
    assert "dots an inch" in image.notes[0]


def test_of_ten_thousand_pages_one_is_drawn() -> None:
    pages = [b""] * 10_000
    pages[9_998] = RED_LEFT
    image = drawn(pdf(*pages), page=9_999)
    assert image.pixels[0, 0].tolist() == RED
    assert image.selected.pages == 10_000


def test_an_encrypted_file_is_refused() -> None:
    with pytest.raises(NotAnImage, match=r"encrypted; send it without a password"):
        drawn(encrypted_pdf())


def test_a_file_without_pages_is_refused() -> None:
    with pytest.raises(DamagedImage, match="its pages cannot be found"):
        drawn(pdf())


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.5, 0.7, 0.95])
def test_a_truncated_file_is_drawn_or_refused(share: float) -> None:
    whole = pdf(RED_LEFT, BLUE_BELOW)
    try:
        image = drawn(whole[: int(share * len(whole))])
    except (DamagedImage, EmptyImage):
        return
    assert (image.width, image.height) == (300, 150)


def test_a_signature_alone_is_damaged() -> None:
    with pytest.raises(DamagedImage, match="its pages cannot be found"):
        drawn(b"%PDF-1.7\n")


def test_a_bomb_of_time_ends_on_time_and_reading_goes_on() -> None:
    for _ in range(5):  # more than there are threads to wait
        with pytest.raises(DecodeTimeout):
            decode(bomb_of_time(), DecodeLimits(1_000_000, 1_000_000, 0.3))
    assert drawn(pdf(RED_LEFT)).width == 300


@pytest.mark.slow
def test_a_bomb_of_memory_is_refused_and_reading_goes_on() -> None:
    with pytest.raises(DecodeTooLarge, match="more memory than is allowed"):
        decode(bomb_of_memory(), DecodeLimits(1_000_000, 10_000, 30))
    assert drawn(pdf(RED_LEFT)).width == 300
