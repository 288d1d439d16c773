"""The API's pages and description: all from here, and examples that work when pressed."""

import json
import re
from typing import Any

import httpx
import pytest

EXAMPLE_PATHS = ("/v1/predictions", "/v1/explanations", "/v1/margins", "/v1/audits")


def test_the_page_and_all_it_loads_come_from_here(client: httpx.Client) -> None:
    page = client.get("/docs").raise_for_status()
    assert "://" not in page.text
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(assets) == 4
    for asset in assets:
        if not asset.startswith("data:"):
            assert len(client.get(f"/{asset}").raise_for_status().content) > 100


def test_the_page_may_run_its_scripts_and_no_others(client: httpx.Client) -> None:
    page = client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert re.findall(r"<script[^>]*>[^<]", page.text) == []


def test_the_description_is_served_with_the_interface(client: httpx.Client) -> None:
    description = client.get("/openapi.json").raise_for_status().json()
    assert set(description["paths"]) == {
        "/v1/predictions", "/v1/explanations", "/v1/explanations/{explanation_id}",
        "/v1/explanations/{explanation_id}/image.png", "/v1/explanations/{explanation_id}/{picture}/{target}.png",
        "/v1/explanations/{explanation_id}/report.html", "/v1/explanations/{explanation_id}/report.pdf",
        "/v1/explanations/{explanation_id}/report.dcm",
        "/v1/margins", "/v1/audits", "/v1/models", "/v1/models/{name}", "/v1/models/{name}/card",
        "/healthz", "/readyz", "/metrics",
    }  # fmt: skip
    assert "class" in description["components"]["schemas"]["Prediction"]["properties"]
    assert "HTTPValidationError" not in str(description)


def test_every_reference_in_the_description_leads_somewhere(client: httpx.Client) -> None:
    text = client.get("/openapi.json").text
    names = set(re.findall(r'"#/([^"]+)"', text))
    assert "components/schemas/Reached" in names
    for name in names:
        at = json.loads(text)
        for key in name.split("/"):
            at = at[key]


@pytest.mark.parametrize("path", EXAMPLE_PATHS)
def test_each_status_is_described_as_a_problem(client: httpx.Client, path: str) -> None:
    responses = client.get("/openapi.json").json()["paths"][path]["post"]["responses"]
    assert set(responses) == {"200", "400", "404", "406", "408", "413", "415", "422", "502", "503", "504"}
    assert all(
        list(responses[status]["content"]) == ["application/problem+json"] for status in responses if status != "200"
    )


OF_THE_INSTALLATION = {"model", "judge", "beside", "dicomweb", "store"}
"""Options for which it takes models or an archive of the installation's own."""


@pytest.mark.parametrize("path", EXAMPLE_PATHS)
def test_every_option_stands_in_an_example(client: httpx.Client, path: str) -> None:
    content = client.get("/openapi.json").json()["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    shown = {name for example in content["examples"].values() for name in example["value"]}
    assert set(content["schema"]["properties"]) - shown - OF_THE_INSTALLATION == set()


def test_every_number_of_an_answer_is_told_in_words(client: httpx.Client) -> None:
    untold = [
        f"{name}.{field}"
        for name, schema in client.get("/openapi.json").json()["components"]["schemas"].items()
        for field, said in schema.get("properties", {}).items()
        if is_number(said) and not said.get("description")
    ]
    assert untold == []


def is_number(schema: dict[str, Any]) -> bool:
    """Whether a field may be a number, or a list of numbers."""
    kinds = [schema, *schema.get("anyOf", [])]
    kinds += [kind["items"] for kind in kinds if "items" in kind]
    return any(kind.get("type") in {"number", "integer"} for kind in kinds)


@pytest.mark.parametrize("path", EXAMPLE_PATHS)
def test_every_example_works_when_pressed(client: httpx.Client, path: str) -> None:
    content = client.get("/openapi.json").json()["paths"][path]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    assert len(examples) >= 2
    for example in examples.values():
        client.post(path, json=example["value"]).raise_for_status()


def test_the_image_to_try_can_be_sent_as_a_form(client: httpx.Client) -> None:
    image = client.get("/docs/example.png").raise_for_status().content
    client.post("/v1/explanations", files={"image": image}, data={"steps": "3"}).raise_for_status()
