"""Several pages or frames of one file over HTTP, by every way in and out."""

import base64
import io
import json
import time
import zipfile
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.images.apart.bombs import chain
from tests.images.apart.files import dicom_file, heic, pdf
from tests.images.apart.test_series import SERIES, zipped
from tests.images.files import encoded
from tests.images.test_tiff_pages import tiff_of
from tests.web.serving import LONG, Served, asking, connection, head, picture, wait_until

PREDICT, EXPLAIN = "/v1/predictions", "/v1/explanations"
LETTER = pdf(b"1 0 0 rg 0 0 72 72 re f", b"0 0 1 rg 0 0 144 36 re f", b"")
SMALL: dict[str, Any] = {"targets": "dog", "steps": "2"}
CHANGING = {"id", "created", "timing_ms", "kept_until"}


def lasting(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what differs each time, and with its probabilities rounded: steps may hold other rows."""
    text = json.dumps({name: value for name, value in answer.items() if name not in CHANGING})
    rounded: dict[str, Any] = json.loads(text, parse_float=lambda number: round(float(number), 4))
    return rounded


def test_each_page_is_answered_as_it_is_alone_with_its_number(client: httpx.Client) -> None:
    found = client.post(PREDICT, files={"image": LETTER}, data={"pages": "all"}).raise_for_status().json()
    assert list(found) == ["pages"]
    assert [one["page"] for one in found["pages"]] == [1, 2, 3]
    for one in found["pages"]:
        alone = client.post(PREDICT, files={"image": LETTER}, data={"page": one["page"]}).json()
        assert lasting(one) == {"page": one["page"], **lasting(alone)}


@pytest.mark.parametrize(
    ("data", "options", "numbers"),
    [
        (tiff_of(), {"pages": "3,1-2"}, [3, 1, 2]),
        (dicom_file("SC_rgb_rle_2frame.dcm"), {"frames": "all"}, [1, 2]),
        (zipped(SERIES), {"frames": "2-4", "window": "30,60"}, [2, 3, 4]),
        (heic(Image.new("RGB", (8, 8), "red"), Image.new("RGB", (8, 8), "blue")), {"frames": "all"}, [1, 2]),
        (encoded(Image.new("RGB", (8, 6)), "PNG"), {"frames": "all"}, [1]),
    ],
    ids=["TIFF", "DICOM", "series", "HEIC", "PNG"],
)
def test_every_kind_of_file_with_parts_has_them_answered(
    client: httpx.Client, data: bytes, options: dict[str, str], numbers: list[int]
) -> None:
    found = client.post(PREDICT, files={"image": data}, data=options).raise_for_status().json()
    (kind,) = found
    part = kind.removesuffix("s")
    assert [(one[part], one["image"][part]) for one in found[kind]] == [(number, number) for number in numbers]


def test_they_are_asked_for_in_json_and_in_the_query_too(client: httpx.Client) -> None:
    image = base64.b64encode(LETTER).decode()
    for pages in ("1,3", [1, 3], ["1", "3-3"]):
        found = client.post(PREDICT, json={"image": image, "pages": pages}).raise_for_status().json()
        assert [one["page"] for one in found["pages"]] == [1, 3]
    answer = client.post(f"{PREDICT}?pages=2", content=LETTER, headers={"Content-Type": "application/pdf"})
    assert [one["page"] for one in answer.raise_for_status().json()["pages"]] == [2]


def test_what_is_wrong_with_one_page_stands_in_its_place(client: httpx.Client) -> None:
    answer = client.post(PREDICT, files={"image": tiff_of()}, data={"pages": "1-4", "region": "0,0,8,6"})
    first, second, third, fourth = answer.raise_for_status().json()["pages"]
    assert "problem" not in first
    assert "problem" not in second
    assert third == {
        "page": 3,
        "problem": {
            "type": "/problems/no-such-part",
            "title": "No such part",
            "status": 422,
            "detail": "The region ends at 8, 6; the image has 5 x 4 pixels.",
            "instance": answer.headers["x-request-id"],
        },
    }
    assert fourth["problem"]["detail"] == "page is 4; this file has 3, counted from 1."


def test_explanations_come_as_json_and_as_files_named_by_page(client: httpx.Client) -> None:
    options = {**SMALL, "pages": "all"}
    as_json = client.post(EXPLAIN, files={"image": LETTER}, data=options).raise_for_status().json()
    zipped_up = client.post(EXPLAIN, files={"image": LETTER}, data=options, headers={"Accept": "application/zip"})
    with zipfile.ZipFile(io.BytesIO(zipped_up.raise_for_status().content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    answer = json.loads(files.pop("explanation.json"))
    named = {
        picture["file"]: one["page"]
        for one in answer["pages"]
        for picture in one["explanations"][0]["pictures"].values()
    }
    assert set(files) == set(named)
    assert {name for name, page in named.items() if page == 2} == {
        f"page-2-{what}-1-dog.png" for what in ("heatmap", "perturbation", "explained")
    }
    for beside, within in zip(answer["pages"], as_json["pages"], strict=True):
        pictures = within["explanations"][0]["pictures"]
        file = beside["explanations"][0]["pictures"]["explained"]["file"]
        assert files[file] == base64.b64decode(pictures["explained"]["data"])
    form = client.post(EXPLAIN, files={"image": LETTER}, data=options, headers={"Accept": "multipart/form-data"})
    assert b'name="page-3-heatmap-1-dog.png"' in form.raise_for_status().content
    assert (form.headers["vary"], zipped_up.headers["vary"]) == ("Accept", "Accept")


def test_each_explanation_is_kept_by_its_id(client: httpx.Client) -> None:
    found = client.post(EXPLAIN, files={"image": LETTER}, data={**SMALL, "pages": "2-3"}).raise_for_status().json()
    for one in found["pages"]:
        again = client.get(f"{EXPLAIN}/{one['id']}").raise_for_status().json()
        assert {"page": one["page"], **again} == one
        with Image.open(io.BytesIO(client.get(f"{EXPLAIN}/{one['id']}/image.png").content)) as image:
            assert image.size == (300, 150)


@pytest.mark.parametrize("accept", ["image/png", "text/event-stream", "text/html", "application/pdf"])
def test_what_holds_one_answer_is_not_offered_for_several(client: httpx.Client, accept: str) -> None:
    answer = client.post(EXPLAIN, files={"image": LETTER}, data={**SMALL, "pages": "all"}, headers={"Accept": accept})
    assert answer.status_code == 406
    assert "application/json or multipart/form-data or application/zip" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("data", "options", "status", "slug", "sentence"),
    [
        (LETTER, {"pages": "all", "page": "1"}, 422, "invalid-option", "pages and page are given; give one of them."),
        (LETTER, {"pages": "all", "frames": "1"}, 422, "invalid-option", "pages and frames are given"),
        (LETTER, {"frames": "all", "page": "1"}, 422, "invalid-option", "frames and page are given"),
        (LETTER, {"pages": "1-"}, 422, "invalid-option", "pages is '1-'; it must be all, or numbers and ranges from 1"),
        (LETTER, {"pages": "3-1"}, 422, "invalid-option", "such as 1,3-5."),
        (LETTER, {"pages": "0"}, 422, "invalid-option", "pages is '0'"),
        (LETTER, {"pages": "9999999"}, 422, "invalid-option", "from 1 to 1000000"),
        (LETTER, {"pages": "1-9999999"}, 413, "too-many-parts", "9999999 pages are named; at most 50 are answered"),
        (LETTER, {"frames": "all"}, 422, "no-such-part", "frame is not for a PDF, which has pages"),
        (LETTER, {"pages": "all", "rho": "7"}, 422, "invalid-option", "rho is"),
        (LETTER, {"pages": "all", "model": "nobody"}, 404, "unknown-model", "There is no model nobody"),
        (pdf(*[b""] * 51), {"pages": "all"}, 413, "too-many-parts", "The file has 51 pages; at most 50"),
        (chain(20_000, last=0), {"pages": "all"}, 400, "damaged-image", "more than 10000 pages"),
        (picture(), {"pages": "all"}, 422, "no-such-part", "page is for PDF and TIFF, and the file is a PNG"),
        (b"hello", {"pages": "all"}, 415, "not-an-image", "no image that is read here"),
        (LETTER[:60], {"pages": "all"}, 400, "damaged-image", "its pages cannot be found"),
    ],
)
def test_what_cannot_be_answered_at_all_is_one_problem(
    client: httpx.Client, data: bytes, options: dict[str, str], status: int, slug: str, sentence: str
) -> None:
    answer = client.post(EXPLAIN, files={"image": data}, data=options)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert sentence in answer.json()["detail"]


def test_margins_say_whose_option_it_is(client: httpx.Client) -> None:
    answer = client.post("/v1/margins", files={"image": LETTER}, data={"pages": "all"})
    assert answer.json()["detail"] == "pages is an option of explanations, and not one here."


def test_the_time_of_all_pages_together_is_bounded(client: httpx.Client, served: Served) -> None:
    options = {"pages": "all", "model": "slow", "steps": "1000", "targets": "all", "timeout_ms": "500"}
    answer = client.post(EXPLAIN, files={"image": LETTER}, data=options)
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/deadline-exceeded")
    assert served.places_taken == 0


def test_a_full_server_says_when_to_come_again(client: httpx.Client, served: Served) -> None:
    with asking(served):
        answer = client.post(EXPLAIN, files={"image": LETTER}, data={**SMALL, "pages": "all"})
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/full")
        assert int(answer.headers["retry-after"]) >= 1
    wait_until(lambda: served.places_taken == 0)


def test_a_client_that_goes_away_ends_the_work_on_every_page(served: Served) -> None:
    asked = head(f"{LONG}&pages=all", f"Content-Length: {len(LETTER)}").replace(b"image/png", b"application/pdf")
    with connection(served, asked, LETTER):
        wait_until(lambda: served.places_taken > 0)
    wait_until(lambda: served.places_taken == 0)
    time.sleep(0.2)
    assert served.places_taken == 0
