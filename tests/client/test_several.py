"""Several pages of a file, by either client."""

from typing import Any

import pytest

from app.client import ClientError, Problem
from tests.images.apart.files import dicom_file, pdf
from tests.images.test_tiff_pages import tiff_of

LETTER = pdf(b"1 0 0 rg 0 0 72 72 re f", b"0 0 1 rg 0 0 144 36 re f")


def test_each_page_is_predicted_and_a_broken_one_has_its_problem(client: Any) -> None:
    first, second, third = client.predict_each(tiff_of(), pages="all", region=(0, 0, 8, 6))
    assert [first.number, second.number, third.number] == [1, 2, 3]
    alone = client.predict(tiff_of(), page=2, region=(0, 0, 8, 6))
    assert second.get().top == alone.top
    assert (third.answer, third.problem.kind) == (None, "no-such-part")
    with pytest.raises(Problem, match="the image has 5 x 4 pixels"):
        third.get()


def test_each_page_and_frame_is_explained(client: Any) -> None:
    found = client.explain_each(LETTER, pages=[2], targets=["dog"], steps=2)
    assert [part.number for part in found] == [2]
    assert found[0].get()["dog"].explained.size == (300, 150)
    cine = client.explain_each(dicom_file("SC_rgb_rle_2frame.dcm"), frames="1-2", targets=["dog"], steps=2)
    assert [part.get().prediction.json["image"]["frame"] for part in cine] == [1, 2]


def test_what_is_asked_wrongly_is_said(client: Any) -> None:
    with pytest.raises(ClientError, match="Give pages"):
        client.predict_each(LETTER)
    with pytest.raises(Problem, match="frame is not for a PDF"):
        client.predict_each(LETTER, frames="all")
