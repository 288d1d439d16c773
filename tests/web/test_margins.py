"""POST /v1/margins."""

import base64

import httpx
import pytest

from tests.web.serving import CLASSES, picture

IMAGE = picture(12, 20)
URL = "/v1/margins"


def test_the_answer_has_the_fields_of_the_interface(client: httpx.Client) -> None:
    answer = client.post(URL, files={"image": IMAGE}).raise_for_status().json()
    assert list(answer) == ["id", "created", "model", "image", "prediction", "margin", "certificate", "timing_ms"]
    margin = answer["margin"]
    assert set(margin) == {
        "flip", "chance", "chance_probability", "test_images", "restarts", "gradient_evaluations", "says",
    }  # fmt: skip
    assert margin["chance_probability"] == pytest.approx(1 / 3)
    for change in (margin["flip"], margin["chance"]):
        assert set(change) == {
            "found", "perturbation_rms", "perturbation_l2", "probability_after", "changed_class_to",
            "changed_class_id", "largest_rms_tried", "largest_l2_tried", "percentile",
        }  # fmt: skip
    flip = margin["flip"]
    assert flip["found"]
    assert flip["changed_class_to"] == CLASSES[flip["changed_class_id"]] != answer["prediction"]["class"]
    assert flip["perturbation_l2"] == pytest.approx(flip["perturbation_rms"] * (3 * 8 * 8) ** 0.5)
    assert answer["certificate"] is None


def test_the_three_ways_in_give_the_same_margin(client: httpx.Client) -> None:
    asked = {"restarts": 1, "certificate": True, "sigma": 0.02, "draws": 200, "alpha": 0.01, "seed": 3}
    texts = {name: str(value).lower() for name, value in asked.items()}
    encoded = base64.b64encode(IMAGE).decode()
    answers = [
        client.post(URL, files={"image": IMAGE}, data=texts),
        client.post(URL, json={"image": encoded, **asked}),
        client.post(URL, params=texts, content=IMAGE, headers={"content-type": "image/png"}),
    ]
    first, *others = [answer.raise_for_status().json() for answer in answers]
    assert first["margin"]["restarts"] == 1
    certificate = first["certificate"]
    assert (certificate["sigma"], certificate["draws"], certificate["alpha"]) == (0.02, 200, 0.01)
    assert certificate["abstains"] == (certificate["radius_l2"] is None)
    for other in others:
        assert other["certificate"] == certificate
        assert other["margin"]["flip"] == pytest.approx(first["margin"]["flip"])


def test_an_explanation_has_it_on_request(client: httpx.Client) -> None:
    alone = client.post(URL, files={"image": IMAGE}).raise_for_status().json()["margin"]
    explained = client.post(
        "/v1/explanations", files={"image": IMAGE}, data={"margin": "true", "steps": "2"}
    ).raise_for_status()
    assert explained.json()["margin"]["flip"] == pytest.approx(alone["flip"])


def test_a_margin_that_takes_too_long_is_a_504(client: httpx.Client) -> None:
    fields = {"model": "slow", "restarts": "20", "timeout_ms": "100"}
    answer = client.post(URL, files={"image": IMAGE}, data=fields)
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/deadline-exceeded")


@pytest.mark.parametrize(
    ("asked", "detail"),
    [
        ("restarts=21", "restarts is 21; it must be a number of searches, from 0 to 20."),
        ("certificate=maybe", "certificate is 'maybe'; it must be true or false."),
        ("rho=0.1", "rho is an option of explanations, and not one here."),
        ("restart=1", "did you mean restarts?"),
    ],
)
def test_a_bad_option_is_refused_by_what_would_be_right(client: httpx.Client, asked: str, detail: str) -> None:
    answer = client.post(f"{URL}?{asked}", content=IMAGE, headers={"content-type": "image/png"})
    assert answer.status_code == 422
    assert detail in answer.json()["detail"]
