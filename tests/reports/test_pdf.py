"""The PDF report, read back by another library."""

import io
import re

import pytest
from pypdf import PdfReader

from app.reports.reporter import Reporter
from app.service.results.explanation import Record
from tests.reports.conftest import FILE_NAME, GREEK, MARKUP, NOTICE


@pytest.fixture(scope="module")
def pdf(record: Record, reporter: Reporter) -> bytes:
    return reporter.pdf(record, FILE_NAME)


@pytest.fixture(scope="module")
def reader(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf), strict=True)


@pytest.fixture(scope="module")
def text(reader: PdfReader) -> str:
    """Of all pages, with single blanks."""
    return " ".join(" ".join(page.extract_text() for page in reader.pages).split())


def test_it_says_which_image_which_weights_when_and_the_notice_first(text: str, record: Record) -> None:
    result = record.result
    when = f"{result.created:%Y-%m-%d %H:%M:%S} UTC"
    for said in (result.image.sha256, result.model.weights_sha256, result.id, when):
        assert said in text
    assert text.index(NOTICE) < text.index("In short")


def test_names_of_many_scripts_are_written_and_no_sign_is_lost(text: str) -> None:
    assert MARKUP in text
    assert GREEK in text
    assert "[U+732B] kot" in text
    assert 'a<i>"\ufffd\ufffd &amp;.png' in text


def test_every_picture_is_in_it(reader: PdfReader, record: Record) -> None:
    pictures = [image for page in reader.pages for image in page.images]
    assert len(pictures) == 1 + sum(len(one.pictures) for one in record.result.explanations)
    assert all(min(image.image.size) >= 100 for image in pictures if image.image is not None)


def test_the_file_names_its_title_language_and_time(reader: PdfReader, record: Record) -> None:
    assert reader.metadata is not None
    assert (reader.metadata.title or "").startswith("Read as ")
    assert reader.metadata.creation_date == record.result.created.replace(microsecond=0)
    assert str(reader.root_object["/Lang"]) == "en"


def test_its_pages_are_a4_and_numbered(reader: PdfReader) -> None:
    count = len(reader.pages)
    for number, page in enumerate(reader.pages, start=1):
        assert (round(page.mediabox.width), round(page.mediabox.height)) == (595, 842)
        assert re.search(rf"page {number} of {count}\s*$", page.extract_text().strip().splitlines()[-1])


def test_nothing_lies_outside_the_margins(reader: PdfReader) -> None:
    def look(text: str, _: object, matrix: list[float], *__: object) -> None:
        if text.strip():
            assert 40 <= matrix[4] <= 555
            assert 20 <= matrix[5] <= 800

    for page in reader.pages:
        page.extract_text(visitor_text=look)


def test_the_same_record_gives_the_same_file(pdf: bytes, record: Record, reporter: Reporter) -> None:
    assert reporter.pdf(record, FILE_NAME) == pdf
