"""POST /v1/audits: each way in and out, and that an audit holds nobody up."""

import base64
import io
import json
import zipfile
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from app.web.multipart import read_parts
from tests.web.serving import CLASSES, Served, connection, head, picture, wait_until

IMAGE = picture()
URL = "/v1/audits"
QUICK = {"methods": "gradcam", "steps": "4", "size_rms": "0.05"}
LONG = f"{URL}?model=slow&steps=1000"


def audit(client: httpx.Client, accept: str = "*/*", **options: object) -> httpx.Response:
    answer = client.post(URL, files={"image": IMAGE}, data={**QUICK, **options}, headers={"accept": accept})
    return answer.raise_for_status()


def pixels(drawn: dict[str, Any]) -> Any:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(drawn["data"]))).convert("RGB"), float) / 255


def test_the_answer_says_of_each_model_method_and_goal_what_was_found(client: httpx.Client) -> None:
    answer = audit(client, methods="adversarial,gradcam", beside="slow", steps="2").json()
    assert set(answer) == {"id", "created", "model", "image", "models", "timing_ms"}
    assert [one["model"]["name"] for one in answer["models"]] == ["tiny", "slow"]
    for one in answer["models"]:
        assert set(one) == {"model", "prediction", "image", "audits"}
        assert [(attack["method"], attack["goal"]) for attack in one["audits"]] == [
            (method, goal) for method in ("adversarial", "gradcam") for goal in ("move", "keep")
        ]
        for attack in one["audits"]:
            assert set(attack) == {
                "method", "goal", "found", "rank_correlation", "ssim", "center_distance_pixels", "perturbation_rms",
                "perturbation_l2", "class_before", "class_before_id", "class_after", "class_after_id", "pictures",
            }  # fmt: skip
            assert attack["class_before"] == one["prediction"]["class"] == CLASSES[attack["class_before_id"]]


def test_who_sends_the_changed_picture_again_gets_the_class_and_the_size_reported(client: httpx.Client) -> None:
    (one,) = audit(client, goals="move").json()["models"]
    (attack,) = one["audits"]
    assert attack["found"]
    changed = base64.b64decode(attack["pictures"]["changed"]["data"])
    again = client.post("/v1/predictions", content=changed, headers={"content-type": "image/png"}).json()
    assert (again["prediction"]["class"], again["prediction"]["class_id"]) == (
        attack["class_after"],
        attack["class_after_id"],
    )
    change = pixels(attack["pictures"]["changed"]) - pixels(one["image"])
    assert attack["perturbation_rms"] == pytest.approx(np.sqrt(np.square(change).mean()), abs=1e-6)
    assert attack["perturbation_rms"] <= 0.05


def test_the_three_ways_in_give_the_same(client: httpx.Client) -> None:
    encoded = base64.b64encode(IMAGE).decode()
    query = "&".join(f"{name}={value}" for name, value in QUICK.items())
    answers = [
        audit(client),
        client.post(URL, json={"image": encoded, "methods": ["gradcam"], "steps": 4, "size_rms": 0.05}),
        client.post(f"{URL}?{query}", content=IMAGE, headers={"content-type": "image/png"}),
    ]
    first, *others = [answer.raise_for_status().json()["models"] for answer in answers]
    assert others == [first, first]


@pytest.mark.parametrize("accept", ["multipart/form-data", "application/zip"])
def test_the_pictures_come_as_files_that_the_json_names(client: httpx.Client, accept: str) -> None:
    answer = audit(client, accept, goals="move")
    if accept == "application/zip":
        assert 'filename="audit-' in answer.headers["content-disposition"]
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
    else:
        files = {part.name: part.content for part in read_parts(answer.content, answer.headers["content-type"])}
    (one,) = json.loads(files.pop("audit.json"))["models"]
    pictures = one["audits"][0]["pictures"]
    named = {"image": one["image"], **pictures}
    assert set(files) == {
        "tiny-image.png",
        "tiny-gradcam-move-map_before.png",
        "tiny-gradcam-move-changed.png",
        "tiny-gradcam-move-map_after.png",
    } == {drawn["file"] for drawn in named.values()}  # fmt: skip
    for drawn in named.values():
        shown = Image.open(io.BytesIO(files[drawn["file"]]))
        assert (drawn["data"], shown.size) == (None, (drawn["width"], drawn["height"]))


def test_others_are_answered_while_an_audit_is_made_and_its_client_frees_it_by_leaving(served: Served) -> None:
    with connection(served, head(LONG, f"Content-Length: {len(IMAGE)}"), IMAGE):
        wait_until(lambda: served.places_taken == 1)
        served.client.post("/v1/predictions?model=slow", files={"image": IMAGE}).raise_for_status()
        served.client.post("/v1/explanations", files={"image": IMAGE}, data={"steps": "2"}).raise_for_status()
        assert served.places_taken == 1
    wait_until(lambda: served.places_taken == 0)


def test_an_audit_ends_at_its_deadline(served: Served) -> None:
    answer = served.client.post(f"{LONG}&timeout_ms=200", content=IMAGE, headers={"content-type": "image/png"})
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/deadline-exceeded")
    wait_until(lambda: served.places_taken == 0)


def test_a_picture_is_no_answer_to_an_audit(client: httpx.Client) -> None:
    answer = client.post(URL, files={"image": IMAGE}, headers={"accept": "image/png"})
    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/not-acceptable")
