"""Whatever a client sends, it gets an answer or a problem, and never 500."""

import base64
import string
from urllib.parse import quote

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.web.options.explanations import EXPLAIN
from app.web.options.image import SEVERAL
from app.web.options.margins import MARGIN
from tests.web.serving import picture

IMAGE = picture()
OPTIONS = list(dict.fromkeys(option.name for option in (*EXPLAIN, *SEVERAL, *MARGIN)))
PATHS = st.sampled_from(["/v1/explanations", "/v1/predictions", "/v1/margins"])
fuzzed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
)
words = st.sampled_from(["auto", "all", "paper", "magnitude", "image/png", "0.1", "3", "inf", "\x00", "tiny", "arrays"])
# `steps` and `timeout_ms` are drawn short, so that no lucky draw explains for minutes.
short = st.fixed_dictionaries({"steps": st.integers(1, 2), "timeout_ms": st.just(5000)})


def check(answer: httpx.Response) -> None:
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["detail"]


@fuzzed
@given(PATHS, st.binary(max_size=300), st.text(string.printable, max_size=60), st.text(string.printable, max_size=60))
def test_any_body_content_type_and_accept(
    client: httpx.Client, path: str, body: bytes, content_type: str, accept: str
) -> None:
    headers = {"content-type": header(content_type), "accept": header(accept)}
    check(client.post(path, content=body, headers=headers))


@fuzzed
@given(PATHS, st.dictionaries(st.sampled_from(OPTIONS), json_values | words, max_size=3), short)
def test_any_member_of_json(
    client: httpx.Client, path: str, members: dict[str, object], bounds: dict[str, int]
) -> None:
    check(client.post(path, json={"image": base64.b64encode(IMAGE).decode(), **members, **bounds}))


@fuzzed
@given(PATHS, st.dictionaries(st.sampled_from(OPTIONS), words | st.text(max_size=20), max_size=3))
def test_any_field_of_a_query(client: httpx.Client, path: str, fields: dict[str, str]) -> None:
    query = {**fields, "steps": "1", "timeout_ms": "5000"}
    check(client.post(path, params=query, content=IMAGE, headers={"content-type": "image/png"}))


@fuzzed
@given(PATHS, st.integers(0, len(IMAGE) - 1), st.binary(min_size=1, max_size=8))
def test_any_damage_to_an_image(client: httpx.Client, path: str, at: int, noise: bytes) -> None:
    damaged = IMAGE[:at] + noise + IMAGE[at + len(noise) :]
    query = {"steps": "1"} if "explanations" in path else {}
    check(client.post(path, params=query, content=damaged, headers={"content-type": "image/png"}))


@fuzzed
@given(st.text(max_size=30), st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]))
def test_any_path(client: httpx.Client, path: str, method: str) -> None:
    check(client.request(method, f"/{quote(path, safe='/?&=')}"))


@fuzzed
@given(st.text(min_size=1, max_size=60) | st.binary(min_size=1, max_size=30))
def test_any_id_to_cancel(client: httpx.Client, explanation_id: str | bytes) -> None:
    answer = client.delete(f"/v1/explanations/{quote(explanation_id, safe='')}")
    check(answer)
    assert answer.status_code in (404, 405)


def header(text: str) -> str:
    """What the client library lets through as a header's value."""
    return " ".join(text.split())
