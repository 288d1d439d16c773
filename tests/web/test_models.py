"""GET /v1/models, a model, and its card."""

import httpx

from tests.web.serving import CLASSES


def test_the_models_that_can_be_asked_are_listed(client: httpx.Client) -> None:
    models = client.get("/v1/models").raise_for_status().json()["models"]
    assert [(model["name"], model["default"]) for model in models] == [("slow", False), ("tiny", True)]


def test_a_model_says_what_it_is(client: httpx.Client) -> None:
    model = client.get("/v1/models/tiny").raise_for_status().json()
    assert model["classes"] == list(CLASSES)
    assert model["class_count"] == 3
    assert model["input"] == {"height": 8, "width": 8, "channels": 3, "fit": "stretch"}
    assert model["explanation"] == {"rho": 0.1, "scale": 0.3}
    assert model["source"] == "Random numbers."
    assert model["scores"] == {"accuracy": 0.5}
    assert len(model["weights_sha256"]) == 64


def test_a_models_card_is_markdown(client: httpx.Client) -> None:
    card = client.get("/v1/models/tiny/card").raise_for_status()
    assert card.headers["content-type"].startswith("text/markdown")
    assert card.text.startswith("# tiny")
