"""The HTML report, read by a parser."""

import base64
import io
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from PIL import Image

from app.reports.reporter import Reporter
from app.service.results.explanation import Record
from app.service.results.facts import InDistribution
from tests.reports.conftest import CLASSES, FILE_NAME, NOTICE

VOID = {"br", "meta", "link", "img"}


class Page(HTMLParser):
    """Collects text, tags with what they name, and pictures; tags must close in the order in which they opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.seen if name == tag]


@pytest.fixture(scope="module")
def page(record: Record, reporter: Reporter) -> Page:
    return Page(reporter.html(record, FILE_NAME).decode())


def test_it_says_which_image_which_weights_when_and_the_notice_first(page: Page, record: Record) -> None:
    result = record.result
    when = f"{result.created:%Y-%m-%d %H:%M:%S} UTC"
    for said in (result.image.sha256, result.model.weights_sha256, result.id, when):
        assert said in page.text
    assert page.text.index(NOTICE) < page.text.index("In short")


def test_names_are_shown_as_they_are_and_are_no_markup(page: Page) -> None:
    assert all(name in page.text for name in CLASSES)
    assert 'a<i>"\ufffd\ufffd &amp;.png' in page.text
    assert "To be <tested>." in page.text
    assert {"script", "i", "b", "use"} & {tag for tag, _ in page.seen} == set()


def test_every_picture_is_within_and_says_what_it_is(page: Page, record: Record) -> None:
    pictures = page.all("img")
    assert len(pictures) == 1 + sum(len(one.pictures) for one in record.result.explanations) == 1 + 3 * 5
    for picture in pictures:
        kind, data = picture["src"].split(",")
        assert kind == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as shown:
            assert min(shown.size) >= 100
        assert len(picture["alt"]) > 15


def test_nothing_is_loaded_from_anywhere(page: Page) -> None:
    addresses = [value for _, named in page.seen for name, value in named.items() if name in {"src", "href"}]
    assert all(address.startswith("data:") for address in addresses)
    assert "url(" not in str(page.seen)


def test_what_was_measured_of_the_model_and_what_limits_it_is_said(page: Page) -> None:
    for said in ("0.625", "0.25 (0.125 to 0.5)", "How far this goes", "cropped to its middle", "8 x 8 pixels, colour"):
        assert said in page.text


def test_the_quality_of_each_map_stands_beside_that_of_pixels_in_other_orders(page: Page, record: Record) -> None:
    for one in record.result.explanations:
        assert one.quality is not None
        for found in one.quality.methods.values():
            assert f"pixels deleted {found.deletion_area:.3f}, inserted {found.insertion_area:.3f}" in page.text
        assert f"deleted {one.quality.random.deletion_area:.3f} at random" in page.text


def test_what_lies_outside_the_models_business_is_said_once(record: Record, reporter: Reporter) -> None:
    known = InDistribution(2.0, 1.0, 100.0, "outside", "It lies outside.")
    outside = replace(record, result=replace(record.result, in_distribution=known))
    assert reporter.html(outside, FILE_NAME).decode().count("It lies outside.") == 1


def test_the_margin_is_said_where_it_was_asked_for(page: Page, record: Record) -> None:
    assert record.result.margin is not None
    assert record.result.margin.says in page.text


def test_the_numbers_are_those_of_the_answer(page: Page, record: Record) -> None:
    for one in record.result.explanations:
        assert f"{one.perturbation_rms:.4f} (asked for: 0.1)" in page.text
        assert f"{one.perturbation_l2:.3f}" in page.text
        assert f"{100 * one.probability_after:.1f}%" in page.text
