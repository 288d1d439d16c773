"""DICOM, PDF and HEIC over HTTP: every way in takes them, and the answer says what of them was taken."""

import base64
import io
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.images.apart.files import dicom_file, heic, pdf
from tests.images.files import encoded

CINE = dicom_file("SC_rgb_rle_2frame.dcm")
SLICE = dicom_file("MR_small.dcm")
LETTER = pdf(b"1 0 0 rg 0 0 72 72 re f", b"0 0 1 rg 0 0 144 36 re f")
PHONE = heic(Image.new("RGB", (64, 48), "green"))
PREDICT = "/v1/predictions"


def facts(answer: httpx.Response) -> dict[str, Any]:
    """What the answer says of its image, but for hash and region."""
    found: dict[str, Any] = answer.raise_for_status().json()["image"]
    return {name: value for name, value in found.items() if name not in ("sha256", "seen") and value is not None}


def test_a_dicom_body_is_read_with_its_window_in_the_query(client: httpx.Client) -> None:
    answer = client.post(f"{PREDICT}?window=500,1000", content=SLICE, headers={"Content-Type": "application/dicom"})
    assert facts(answer) == {
        "format": "DICOM",
        "width": 64,
        "height": 64,
        "frame": 1,
        "frames": 1,
        "window": {"center": 500, "width": 1000},
        "notes": ["The window asked for was used."],
    }


def test_a_frame_of_a_dicom_file_is_chosen_in_a_form(client: httpx.Client) -> None:
    answer = client.post(PREDICT, files={"image": ("holiday.png", CINE)}, data={"frame": "2"})
    assert facts(answer) == {
        "format": "DICOM", "width": 100, "height": 100, "frame": 2, "frames": 2, "notes": []
    }  # fmt: skip


def test_a_page_of_a_pdf_is_chosen_in_json(client: httpx.Client) -> None:
    answer = client.post(PREDICT, json={"image": base64.b64encode(LETTER).decode(), "page": 2})
    assert facts(answer) == {
        "format": "PDF",
        "width": 300,
        "height": 150,
        "page": 2,
        "pages": 2,
        "notes": ["Page 2 of 2 was drawn at 150 dots an inch."],
    }


@pytest.mark.parametrize("content", [SLICE, CINE, LETTER, PHONE], ids=["grey", "colour", "PDF", "HEIC"])
def test_each_is_explained_in_its_own_pixels(client: httpx.Client, content: bytes) -> None:
    answer = client.post("/v1/explanations", files={"image": content}, data={"steps": "2"}).raise_for_status().json()
    image = answer["image"]
    for one in answer["explanations"]:
        explained = one["pictures"]["explained"]
        assert (explained["width"], explained["height"]) == (image["width"], image["height"])


@pytest.mark.parametrize(
    ("content", "options", "status", "slug", "sentence"),
    [
        (CINE, {"frame": 3}, 422, "no-such-part", "frame is 3; this file has 2, counted from 1."),
        (LETTER, {"page": 3}, 422, "no-such-part", "page is 3; this file has 2, counted from 1."),
        (LETTER, {"window": "1,2"}, 422, "no-such-part", "window is for the grey levels of DICOM"),
        (dicom_file("rtplan.dcm"), {}, 415, "not-an-image", "no Pixel Data (7FE0,0010)"),
        (SLICE[:5000], {}, 400, "damaged-image", "The DICOM"),
        (LETTER, {"page": 0}, 422, "invalid-option", "page is 0; it must be a number, from 1 to 1000000."),
    ],
)
def test_what_cannot_be_taken_is_said(
    client: httpx.Client, content: bytes, options: dict[str, Any], status: int, slug: str, sentence: str
) -> None:
    answer = client.post(PREDICT, files={"image": content}, data=options)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert sentence in answer.json()["detail"]


def test_a_region_is_read_as_its_crop_is(client: httpx.Client) -> None:
    """The whole image keeps its size; what the network was not shown is as it was."""
    whole = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8))
    crop = whole.crop((10, 5, 40, 25))
    asked = (
        client.post(
            "/v1/explanations",
            files={"image": encoded(whole, "PNG")},
            data={"region": "10,5,30,20", "steps": "2", "targets": "dog", "include": "explained"},
        )
        .raise_for_status()
        .json()
    )
    alone = client.post(PREDICT, files={"image": encoded(crop, "PNG")}).raise_for_status().json()
    assert asked["prediction"]["top"] == alone["prediction"]["top"]
    assert asked["image"]["seen"] == {"left": 10, "top": 5, "width": 30, "height": 20}
    with Image.open(io.BytesIO(base64.b64decode(asked["explanations"][0]["pictures"]["explained"]["data"]))) as after:
        changed = (np.asarray(after) != np.asarray(whole)).any(axis=2)
    assert changed[5:25, 10:40].any()
    changed[5:25, 10:40] = False
    assert not changed.any()


def test_a_region_beyond_the_image_is_refused(client: httpx.Client) -> None:
    answer = client.post(PREDICT, files={"image": PHONE}, data={"region": "10,5,60,20"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/no-such-part")
    assert answer.json()["detail"] == "The region ends at 70, 25; the image has 64 x 48 pixels."
