"""What answers say of the model's plain twin."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.networks.checkpoint import load_checkpoint, save_checkpoint
from tests.web.serving import picture, save_tiny, serving, small_settings

FILES = {"image": picture()}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """`tiny` names `plain`, which reads every image as class 1, as its twin."""
    models = tmp_path_factory.mktemp("models")
    save_tiny(models / "plain", seed=2)
    plain = load_checkpoint(models / "plain", "cpu")
    plain.network.get_parameter("classifier.bias")[1] += 100
    save_checkpoint(models / "plain", plain.network, plain.description)
    save_tiny(models / "tiny", seed=1)
    tiny = load_checkpoint(models / "tiny", "cpu")
    save_checkpoint(models / "tiny", tiny.network, replace(tiny.description, twin="plain"))
    with serving(small_settings(models)) as running:
        yield running.client


def asked(pair: httpx.Client, path: str, **options: str) -> dict[str, Any]:
    answer: dict[str, Any] = pair.post(path, files=FILES, data=options).raise_for_status().json()
    return answer


@pytest.mark.parametrize("path", ["/v1/predictions", "/v1/explanations"])
def test_both_predictions_are_in_the_answer_and_whether_they_agree(pair: httpx.Client, path: str) -> None:
    answer, own = asked(pair, path), asked(pair, "/v1/predictions", model="plain")
    second = answer["second_opinion"]
    assert (second["model"], second["prediction"]) == (own["model"], own["prediction"])
    assert answer["model"]["name"] == "tiny"
    assert second["prediction"]["class"] == "dog"
    assert second["agrees"] == (answer["prediction"]["class"] == "dog")
    assert own["second_opinion"] is None


def test_it_can_be_left_out(pair: httpx.Client) -> None:
    assert asked(pair, "/v1/predictions", second_opinion="false")["second_opinion"] is None


def test_a_model_says_which_twin_it_names(pair: httpx.Client) -> None:
    assert [pair.get(f"/v1/models/{name}").json()["twin"] for name in ("tiny", "plain")] == ["plain", None]


def test_a_picture_has_it_in_its_headers(pair: httpx.Client) -> None:
    answer = pair.post("/v1/explanations", files=FILES, headers={"accept": "image/png"}).raise_for_status()
    assert answer.headers["aex-second-opinion"] == "dog"
