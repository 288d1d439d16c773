"""Accept, by RFC 9110 12.5.1."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.errors import NotAcceptable
from app.web.negotiation import choose

OFFERED = ("application/json", "image/png", "application/zip")


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("image/png", "image/png"),
        ("IMAGE/PNG", "image/png"),
        ("image/*", "image/png"),
        ("application/json;q=0.2, image/png;q=0.9", "image/png"),
        ("application/json;q=0, */*;q=0.1", "image/png"),
        ("application/*;q=0.5, application/zip", "application/zip"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("image/png;level=1;q=0.3, application/zip;q=0.4", "application/zip"),
    ],
)
def test_the_best_liked_of_the_offered_is_chosen(accept: str, chosen: str) -> None:
    assert choose(accept, OFFERED) == chosen


@pytest.mark.parametrize("accept", ["text/html", "application/dicom", "*/*;q=0", "nonsense", "image/png;q=0"])
def test_what_is_not_offered_is_refused_with_what_is(accept: str) -> None:
    with pytest.raises(NotAcceptable, match="application/json or image/png or application/zip"):
        choose(accept, OFFERED)


@given(st.text())
def test_any_text_is_a_choice_or_a_refusal(accept: str) -> None:
    with contextlib.suppress(NotAcceptable):
        assert choose(accept, OFFERED) in OFFERED
