"""POST /v1/predictions."""

import base64
import hashlib

import httpx
import pytest

from tests.web.serving import CLASSES, picture

IMAGE = picture(12, 20)


def test_the_answer_has_the_fields_of_the_interface(client: httpx.Client) -> None:
    answer = client.post("/v1/predictions", files={"image": IMAGE}).raise_for_status().json()
    assert list(answer) == [
        "id", "created", "model", "image", "prediction", "second_opinion", "in_distribution", "timing_ms",
    ]  # fmt: skip
    assert answer["created"].endswith("Z")
    assert answer["model"]["name"] == "tiny"
    assert answer["model"]["input"] == {"height": 8, "width": 8, "channels": 3, "fit": "stretch"}
    assert answer["image"] == {
        "sha256": hashlib.sha256(IMAGE).hexdigest(),
        "format": "PNG",
        "width": 20,
        "height": 12,
        "seen": {"left": 0, "top": 0, "width": 20, "height": 12},
        "page": None,
        "pages": None,
        "frame": 1,
        "frames": 1,
        "window": None,
        "notes": [],
    }
    best = answer["prediction"]
    assert best["class"] == CLASSES[best["class_id"]]
    assert best["top"][0] == {name: best[name] for name in ("class", "class_id", "probability")}
    assert sum(entry["probability"] for entry in best["top"]) == pytest.approx(1)
    assert set(answer["timing_ms"]) == {"queued", "decode", "predict"}


def test_the_three_ways_in_give_the_same_prediction(client: httpx.Client) -> None:
    encoded = base64.b64encode(IMAGE).decode()
    answers = [
        client.post("/v1/predictions", files={"image": IMAGE}, data={"top_k": "2"}),
        client.post("/v1/predictions", json={"image": encoded, "top_k": 2}),
        client.post("/v1/predictions?top_k=2", content=IMAGE, headers={"content-type": "image/png"}),
    ]
    first, *others = [answer.raise_for_status().json()["prediction"] for answer in answers]
    assert len(first["top"]) == 2
    assert others == [first, first]


def test_a_model_is_chosen_by_name(client: httpx.Client) -> None:
    answer = client.post("/v1/predictions", files={"image": IMAGE}, data={"model": "slow"}).raise_for_status().json()
    assert answer["model"]["input"]["height"] == 64
