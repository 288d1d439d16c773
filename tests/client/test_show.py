"""How answers look in a notebook."""

import copy
from typing import Any

import pytest

from app.client.answers import explanation_of, prediction_of
from tests.reports.test_html import Page
from tests.web.serving import Served, picture

MARKUP = "<b>cat</b> & 'dog'"


@pytest.fixture(scope="module")
def answer(served: Served) -> dict[str, Any]:
    """Of the server, its first target renamed to something that would be markup."""
    said: dict[str, Any] = served.client.post(
        "/v1/explanations", files={"image": picture()}, data={"steps": "2", "targets": "cat,dog"}
    ).json()
    changed = copy.deepcopy(said)
    changed["explanations"][0]["target"] = changed["explanations"][0]["changed_class_to"] = MARKUP
    changed["prediction"]["top"][0]["class"] = MARKUP
    return changed


def test_an_explanation_shows_its_numbers_and_pictures(answer: dict[str, Any]) -> None:
    page = Page(explanation_of(answer)._repr_html_())
    assert MARKUP in page.text
    assert f"{answer['explanations'][1]['probability_after']:.3f}" in page.text
    assert [image["alt"] for image in page.all("img")] == ["heatmap", "explained"] * 2
    assert all(image["src"].startswith("data:image/png;base64,iVBOR") for image in page.all("img"))
    assert page.all("b") == []


def test_a_prediction_shows_its_classes(answer: dict[str, Any]) -> None:
    page = Page(prediction_of(answer)._repr_html_())
    assert MARKUP in page.text
    assert len(page.all("tr")) == len(answer["prediction"]["top"])


def test_a_picture_shows_itself(answer: dict[str, Any]) -> None:
    drawn = explanation_of(answer).targets[0].pictures["heatmap"]
    assert drawn._repr_png_() == drawn.png
    assert "png" not in repr(drawn)
