"""POST /v1/explanations: each way out, and that what is sent is what was measured."""

import base64
import io
import json
import math
import zipfile
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app.service.explaining.sheet import CELL_PIXELS, GAP_PIXELS
from app.web import parts
from app.web.multipart import read_parts
from tests.engine.small import LateToken
from tests.web.serving import CLASSES, Served, picture

IMAGE = picture()
URL = "/v1/explanations"
STEPS = {"steps": "5"}


def explain(client: httpx.Client, accept: str = "*/*", **options: object) -> httpx.Response:
    fields = {**STEPS, **options}
    answer = client.post(URL, files={"image": IMAGE}, data=fields, headers={"accept": accept})
    return answer.raise_for_status()


def decoded(picture_json: dict[str, str]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(picture_json["data"])))


def test_the_answer_has_the_fields_of_the_interface(client: httpx.Client) -> None:
    answer = explain(client).json()
    assert set(answer) == {
        "id", "created", "model", "image", "prediction", "in_distribution", "second_opinion", "explanations", "margin",
        "timing_ms", "original", "sheet", "arrays", "kept_until", "stored",
    }  # fmt: skip
    assert set(answer["timing_ms"]) == {"queued", "decode", "explain", "render"}
    assert [one["role"] for one in answer["explanations"]] == ["predicted", "runner_up"]
    assert set(answer["explanations"][0]) == {
        "target", "target_id", "role", "against", "against_id", "direction", "method", "probability_before",
        "probability_after", "margin_before", "margin_after", "rho", "perturbation_rms", "perturbation_l2", "steps",
        "cut_short", "converged", "goal_met", "changed_class_to", "methods", "agreement", "top_after", "pictures",
        "objects", "sweep", "animation", "quality", "judge", "verdict", "tiles", "most_moved_tile",
    }  # fmt: skip
    assert answer["explanations"][0]["steps"] == 5
    assert (answer["margin"], answer["original"], answer["sheet"], answer["arrays"]) == (None, None, None, None)
    assert [(one["sweep"], one["animation"]) for one in answer["explanations"]] == [([], None)] * 2
    assert [one["verdict"]["level"] for one in answer["explanations"]] == ["low"] * 2  # it was not calibrated
    assert [reason["about"] for reason in answer["explanations"][0]["verdict"]["reasons"]] == [
        "image",
        "gain",
        "search",
    ]


def test_the_pictures_are_those_asked_for_and_as_large_as_they_say(client: httpx.Client) -> None:
    pictures = explain(client, include=["explained", "heatmap"]).json()["explanations"][0]["pictures"]
    assert set(pictures) == {"explained", "heatmap"}
    for one in pictures.values():
        assert (one["media_type"], one["file"]) == ("image/png", None)
        assert decoded(one).size == (one["width"], one["height"])
    assert pictures["heatmap"]["scale"] == pytest.approx(0.3)


def test_who_sends_the_explained_picture_again_gets_the_probability_reported(client: httpx.Client) -> None:
    one = explain(client, targets="predicted", include="explained").json()["explanations"][0]
    said = {entry["class_id"]: entry["probability"] for entry in one["top_after"]}
    again = client.post(
        "/v1/predictions",
        content=base64.b64decode(one["pictures"]["explained"]["data"]),
        headers={"content-type": "image/png"},
    ).json()
    found = {entry["class_id"]: entry["probability"] for entry in again["prediction"]["top"]}
    assert found == pytest.approx(said, abs=1e-4)
    assert found[one["target_id"]] == pytest.approx(one["probability_after"], abs=1e-4)


def test_the_original_is_the_upload_as_it_was_read(client: httpx.Client) -> None:
    answer = explain(client, include="original").json()
    assert np.array_equal(np.asarray(decoded(answer["original"])), np.asarray(Image.open(io.BytesIO(IMAGE))))
    assert [one["pictures"] for one in answer["explanations"]] == [{}, {}]


@pytest.mark.parametrize("direction", ["encourage", "discourage"])
def test_a_contrast_moves_the_margin_and_says_what_the_picture_sent_has(client: httpx.Client, direction: str) -> None:
    answer = explain(client, targets="all", against="cat", direction=direction, top_k="0", include="explained").json()
    before = {entry["class_id"]: entry["probability"] for entry in answer["prediction"]["top"]}
    assert [one["target_id"] for one in answer["explanations"]] == [1, 2]
    for one in answer["explanations"]:
        sent = base64.b64decode(one["pictures"]["explained"]["data"])
        again = client.post("/v1/predictions", content=sent, headers={"content-type": "image/png"}).json()
        after = {entry["class_id"]: entry["probability"] for entry in again["prediction"]["top"]}
        assert (one["against"], one["against_id"], one["goal_met"]) == ("cat", 0, True)
        for said, found in ((one["margin_before"], before), (one["margin_after"], after)):
            assert said == pytest.approx(math.log(found[one["target_id"]] / found[0]), abs=1e-3)
        assert (one["margin_after"] > one["margin_before"]) == (direction == "encourage")


def test_a_sweep_is_numbers_at_each_size_and_what_is_asked_for_of_it(client: httpx.Client) -> None:
    answer = explain(client, targets="dog", sweep="0.05,0.1", include="curve,animation,sweep,film_strip").json()
    (one,) = answer["explanations"]
    assert list(one["pictures"]) == ["curve", "film_strip"]
    assert [point["rho"] for point in one["sweep"]] == [0, 0.05, 0.1]
    assert [point["perturbation_rms"] for point in one["sweep"]] == pytest.approx([0, 0.05, 0.1], rel=0.05)
    assert one["sweep"][0]["probability_after"] == one["probability_before"]
    assert one["sweep"][0]["top_after"] == answer["prediction"]["top"]
    assert one["sweep"][2]["top_after"] == one["top_after"]
    assert one["sweep"][2]["probability_after"] == pytest.approx(one["probability_after"])
    assert [decoded(point["pictures"]["explained"]).size for point in one["sweep"]] == [(8, 8)] * 3
    film = decoded(one["animation"])
    assert (film.format, film.size, one["animation"]["frames"]) == ("WEBP", (256, 256), 3)


def test_a_sweep_is_numbers_alone_where_nothing_of_it_is_to_be_drawn(client: httpx.Client) -> None:
    (one,) = explain(client, targets="dog", sweep="2", include="heatmap").json()["explanations"]
    assert list(one["pictures"]) == ["heatmap"]
    assert [(point["rho"], point["pictures"]) for point in one["sweep"]] == [(0, {}), (0.1, {}), (0.2, {})]
    assert one["animation"] is None


def test_a_sheet_shows_every_target_and_sends_no_picture_that_was_not_asked_for(client: httpx.Client) -> None:
    answer = explain(client, targets="all", include="sheet,explained").json()
    assert [list(one["pictures"]) for one in answer["explanations"]] == [["explained"]] * 3
    sheet = np.asarray(decoded(answer["sheet"]).convert("RGB"))
    assert sheet.shape[:2] == (answer["sheet"]["height"], answer["sheet"]["width"])
    for number, one in enumerate(answer["explanations"]):
        left = GAP_PIXELS + (2 + 2 * number) * (CELL_PIXELS + GAP_PIXELS)
        cell = sheet[GAP_PIXELS : GAP_PIXELS + CELL_PIXELS : 24, left : left + CELL_PIXELS : 24]
        assert np.array_equal(cell, np.asarray(decoded(one["pictures"]["explained"])))


def test_a_sheet_can_be_the_picture_that_is_sent(client: httpx.Client) -> None:
    answer = explain(client, "image/png", targets="all", include="sheet")
    assert (answer.headers["aex-picture"], answer.headers["content-disposition"]) == (
        "sheet",
        'inline; filename="sheet.png"',
    )
    assert Image.open(io.BytesIO(answer.content)).width == 7 * (CELL_PIXELS + GAP_PIXELS) + GAP_PIXELS


def test_a_sheet_is_a_file_beside_the_json_too(client: httpx.Client) -> None:
    archive = zipfile.ZipFile(io.BytesIO(explain(client, "application/zip", targets="all", include="sheet").content))
    assert archive.namelist() == ["explanation.json", "sheet.png"]
    assert json.loads(archive.read("explanation.json"))["sheet"]["file"] == "sheet.png"


@pytest.mark.parametrize("targets", ["dog, 2", ["dog", "2"]])
def test_targets_are_names_or_ids_repeated_or_separated(client: httpx.Client, targets: object) -> None:
    assert [one["target"] for one in explain(client, targets=targets).json()["explanations"]] == ["dog", CLASSES[2]]


def test_a_json_list_of_targets_may_hold_names_with_commas(client: httpx.Client) -> None:
    body = {"image": base64.b64encode(IMAGE).decode(), "targets": [CLASSES[2], 0], "steps": 3}
    answer = client.post(URL, json=body).raise_for_status().json()
    assert [one["target"] for one in answer["explanations"]] == [CLASSES[2], "cat"]


def test_every_option_reaches_the_explanation(client: httpx.Client) -> None:
    options = {
        "model": "tiny", "targets": "1", "direction": "discourage", "method": "paper", "rho": "0.05", "steps": "7",
        "heatmap": "magnitude", "overlay": "none", "scale": "0.25", "include": "heatmap", "top_k": "1", "seed": "3",
        "timeout_ms": "30000", "partial": "true",
    }  # fmt: skip
    answer = explain(client, **options).json()
    (one,) = answer["explanations"]
    assert (one["target_id"], one["direction"], one["rho"], one["steps"]) == (1, "discourage", 0.05, 7)
    assert one["pictures"]["heatmap"]["scale"] == 0.25
    assert len(answer["prediction"]["top"]) == 1


def test_arrays_come_in_base64_within_json(client: httpx.Client) -> None:
    answer = explain(client, targets="cat,dog", include="arrays").json()
    arrays = np.load(io.BytesIO(base64.b64decode(answer["arrays"])))
    assert {name: arrays[name].shape for name in arrays} == {
        "image": (8, 8, 3),
        "explained": (2, 8, 8, 3),
        "perturbation": (2, 8, 8, 3),
    }
    np.testing.assert_allclose(arrays["image"] + arrays["perturbation"][0], arrays["explained"][0], atol=1e-6)
    assert answer["explanations"][0]["pictures"] == {}


def test_png_is_the_first_targets_first_picture_with_its_facts(client: httpx.Client) -> None:
    answer = explain(client, "image/png", targets="dog", include=["explained", "heatmap"])
    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (8, 8)
    assert answer.headers["content-disposition"] == 'inline; filename="explained-1-dog.png"'
    assert (answer.headers["aex-target"], answer.headers["aex-picture"]) == ("dog", "explained")
    assert 0 < float(answer.headers["aex-perturbation-rms"]) < 1


@pytest.fixture
def late_in_its_third_step(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of the next request to `tiny` is over while the device makes its third gradient step."""
    token = LateToken()
    token.be_late_in(3, served.parts.catalogue.served("tiny").model, monkeypatch)
    monkeypatch.setattr(parts, "WorkToken", lambda _: token)


LATE: dict[str, Any] = {"method": "paper", "steps": 1000, "targets": ["cat", "dog"]}


@pytest.mark.parametrize("way", ["form", "json", "query"])
@pytest.mark.usefixtures("late_in_its_third_step")
def test_with_partial_a_late_answer_is_what_was_found_by_then(client: httpx.Client, way: str) -> None:
    options = {**LATE, "partial": "true"}
    if way == "form":
        answer = client.post(URL, files={"image": IMAGE}, data=options)
    elif way == "json":
        answer = client.post(URL, json={"image": base64.b64encode(IMAGE).decode(), **LATE, "partial": True})
    else:
        answer = client.post(URL, params=options, content=IMAGE, headers={"content-type": "image/png"})
    for one in answer.raise_for_status().json()["explanations"]:
        assert (one["steps"], one["cut_short"], one["converged"]) == (3, True, False)
        assert set(one["pictures"]) == {"heatmap", "perturbation", "explained"}


@pytest.mark.usefixtures("late_in_its_third_step")
def test_a_picture_by_itself_says_that_its_search_was_cut_short(client: httpx.Client) -> None:
    headers = explain(client, "image/png", **LATE, partial="true").headers
    assert (headers["aex-cut-short"], headers["aex-steps"]) == ("true", "3")


def test_an_answer_in_time_is_not_cut_short(client: httpx.Client) -> None:
    answer = explain(client, partial="true").json()
    assert [(one["steps"], one["cut_short"]) for one in answer["explanations"]] == [(5, False)] * 2


def test_with_partial_a_search_too_long_for_its_time_is_cut_short(client: httpx.Client) -> None:
    """By the clock, as a client has it; how far it came is the machine's affair."""
    answer = explain(client, **{**LATE, "model": "slow", "timeout_ms": "1000", "partial": "true"}).json()
    assert all(one["cut_short"] and one["steps"] < 1000 for one in answer["explanations"])


def test_a_class_name_that_no_header_takes_is_percent_encoded(client: httpx.Client) -> None:
    answer = explain(client, "image/png", targets="2")
    assert answer.headers["aex-target"] == "sea%2C%20ship"
    assert "heatmap-2-sea_ship.png" in answer.headers["content-disposition"]


def test_multipart_is_the_json_and_the_files_it_names(client: httpx.Client) -> None:
    answer = explain(client, "multipart/form-data", include=["heatmap", "original", "arrays"], targets="cat,dog")
    result, *files = read_parts(answer.content, answer.headers["content-type"])
    described = json.loads(result.content)
    named = [one["file"] for each in described["explanations"] for one in each["pictures"].values()]
    assert [file.name for file in files] == [*named, "original.png", "explanation.npz"]
    assert named[0] == "heatmap-0-cat.png"
    assert all(file.content.startswith(b"\x89PNG") for file in files[:-1])
    assert (described["original"]["file"], described["arrays"]) == ("original.png", None)


def test_zip_is_the_json_and_the_files_it_names(client: httpx.Client) -> None:
    answer = explain(client, "application/zip", include="heatmap,arrays", targets="2")
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.namelist() == ["explanation.json", "heatmap-2-sea_ship.png", "explanation.npz"]
    assert archive.testzip() is None
    (one,) = json.loads(archive.read("explanation.json"))["explanations"]
    assert one["pictures"]["heatmap"]["file"] == "heatmap-2-sea_ship.png"
    assert one["pictures"]["heatmap"]["data"] is None


def test_a_sweeps_files_are_named_in_the_json_too(client: httpx.Client) -> None:
    asked = {"targets": "2", "sweep": "2", "include": "film_strip,sweep,animation"}
    archive = zipfile.ZipFile(io.BytesIO(explain(client, "application/zip", **asked).content))
    (one,) = json.loads(archive.read("explanation.json"))["explanations"]
    named = [
        one["pictures"]["film_strip"]["file"],
        *(point["pictures"]["explained"]["file"] for point in one["sweep"]),
        one["animation"]["file"],
    ]
    assert named == [
        "film_strip-2-sea_ship.png",
        *(f"explained-2-sea_ship-{number:02}.png" for number in range(3)),
        "animation-2-sea_ship.webp",
    ]
    assert archive.namelist() == ["explanation.json", *named]
    assert archive.read(named[-1])[8:12] == b"WEBP"
    form = explain(client, "multipart/form-data", **asked)
    assert [part.name for part in read_parts(form.content, form.headers["content-type"])] == archive.namelist()


def test_a_film_strip_can_be_the_picture_that_is_sent(client: httpx.Client) -> None:
    answer = explain(client, "image/png", targets="2", sweep="2", include="film_strip")
    assert "film_strip-2-sea_ship.png" in answer.headers["content-disposition"]
    assert Image.open(io.BytesIO(answer.content)).width > 3 * 192


def test_a_film_is_no_png(client: httpx.Client) -> None:
    fields = {"sweep": "2", "include": "animation"}
    refused = client.post(URL, files={"image": IMAGE}, data=fields, headers={"accept": "image/png"})
    assert refused.status_code == 422
    assert "include names no picture, but image/png was asked for" in refused.json()["detail"]


def test_the_best_liked_media_type_is_sent(client: httpx.Client) -> None:
    answer = explain(client, "application/json;q=0.5, application/zip")
    assert answer.headers["content-type"] == "application/zip"
