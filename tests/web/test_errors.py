"""Every documented error, got over HTTP."""

import base64
import json
from dataclasses import dataclass, field

import httpx
import pytest

from app.engine.token import WorkToken
from app.web import parts
from app.web.middleware import REQUEST_ID
from app.web.problems import KINDS, TABLE
from tests.images.files import png
from tests.web.serving import CLASSES, MAX_UPLOAD_BYTES, Served, picture

IMAGE = picture()
BASE64 = base64.b64encode(IMAGE).decode()
EXPLAIN, PREDICT = "/v1/explanations", "/v1/predictions"
RAW = {"content-type": "application/octet-stream"}


BOMB = png(100_000, 100_000, 8, 2, bytes(100))


@dataclass(frozen=True)
class Case:
    """A request, and the problem it gets."""

    status: int
    slug: str
    detail: str
    method: str = "POST"
    path: str = EXPLAIN
    content: bytes = IMAGE
    headers: dict[str, str] = field(default_factory=lambda: RAW)


def as_json(**members: object) -> dict[str, object]:
    return {"content": json.dumps(members).encode(), "headers": {"content-type": "application/json"}}


CASES = [
    Case(400, "malformed-request", "not JSON", **as_json() | {"content": b"{"}),  # type: ignore[arg-type]
    Case(400, "malformed-request", "no object", **as_json() | {"content": b"[]"}),  # type: ignore[arg-type]
    Case(400, "malformed-request", "no member image", **as_json(rho=1)),  # type: ignore[arg-type]
    Case(400, "malformed-request", "not base64", **as_json(image="?")),  # type: ignore[arg-type]
    Case(400, "malformed-request", "no boundary", headers={"content-type": "multipart/form-data"}),
    Case(400, "malformed-request", "not multipart", headers={"content-type": "multipart/form-data; boundary=x"}),
    Case(400, "malformed-request", "0 parts named image", content=b'--b\r\nContent-Disposition: form-data; name="a"\r\n'
         b"\r\nb\r\n--b--\r\n", headers={"content-type": "multipart/form-data; boundary=b"}),
    Case(400, "empty-image", "", content=b""),
    Case(400, "empty-image", "", **as_json(image="")),  # type: ignore[arg-type]
    Case(400, "damaged-image", "", content=IMAGE[: len(IMAGE) // 2]),
    Case(404, "unknown-model", "available: slow, tiny", path=f"{EXPLAIN}?model=nobody"),
    Case(404, "unknown-model", "available: slow, tiny", path=f"{PREDICT}?model=../tiny"),
    Case(404, "unknown-model", "could not be loaded", path=f"{PREDICT}?model=broken"),
    Case(404, "unknown-model", "There is no model nobody", method="GET", path="/v1/models/nobody"),
    Case(404, "unknown-model", "There is no model nobody", method="GET", path="/v1/models/nobody/card"),
    Case(404, "unknown-explanation", "No explanation of this id", method="DELETE", path=f"{EXPLAIN}/01JDB6K2N8Q0"),
    Case(404, "unknown-explanation", "No explanation of this id", method="GET", path=f"{EXPLAIN}/01JDB6K2N8Q0"),
    Case(404, "unknown-explanation", "No explanation", method="GET", path=f"{EXPLAIN}/01JDB6K2N8Q0/heatmap/cat.png"),
    Case(404, "unknown-explanation", "No explanation", method="GET", path=f"{EXPLAIN}/01JDB6K2N8Q0/image.png"),
    Case(404, "no-such-resource", "/docs", method="DELETE", path=f"{EXPLAIN}/"),
    Case(404, "no-such-resource", "/docs", path="/v2/explanations"),
    Case(404, "no-such-resource", "/docs", method="GET", path="/v1/models/"),
    Case(404, "no-such-resource", "/docs", method="GET", path="/problems/none"),
    Case(404, "no-such-resource", "/docs", method="GET", path="/docs/assets/../../main.py"),
    Case(405, "method-not-allowed", "method", method="GET"),
    Case(405, "method-not-allowed", "method", method="DELETE", path="/v1/models"),
    Case(406, "not-acceptable", "application/json or image/png", headers={**RAW, "accept": "text/csv"}),
    Case(406, "not-acceptable", "ask for application/json.", path=PREDICT, headers={**RAW, "accept": "image/png"}),
    Case(406, "not-acceptable", "application/json.", path=PREDICT, headers={**RAW, "accept": "text/event-stream"}),
    Case(413, "image-too-large", "", content=b"\x89PNG" + bytes(MAX_UPLOAD_BYTES)),
    Case(413, "image-too-large", "", content=bytes(2 * MAX_UPLOAD_BYTES)),
    Case(413, "too-many-pixels", "", content=BOMB),
    Case(415, "not-an-image", "", content=b"%!PS this is none"),
    Case(415, "unsupported-content-type", "is not read here", headers={"content-type": "application/postscript"}),
    Case(415, "unsupported-content-type", "is not read here", headers={"content-type": "text/html"}),
    Case(415, "unsupported-content-type", "is not read here", headers={}),
    Case(422, "invalid-option", "respond-async is not offered", headers={**RAW, "prefer": "respond-async, wait=10"}),
    Case(422, "invalid-option", "no picture", path=f"{EXPLAIN}?include=arrays", headers={**RAW, "accept": "image/png"}),
]  # fmt: skip

OPTIONS = [
    ("rho=abc", "rho is 'abc'; it must be a number above 0 and at most 1."),
    ("rho=1.5", "rho is 1.5"),
    ("steps=0", "steps is 0"),
    ("steps=many", "steps is 'many'; it must be a whole number from 1 to 1000."),
    ("targets=", "targets is empty"),
    ("targets=doog", "dog"),
    ("targets=3", "an id from 0 to 2"),
    ("targets=all,predicted,dog&rho=0", "rho is 0"),
    ("direction=up", "encourage, discourage"),
    ("method=slow", "it must be one of fast, paper"),
    ("heatmap=x", "signed, magnitude"),
    ("overlay=x", "original, grayscale, none"),
    ("color_map=nosuchmap", "color_map"),
    ("scale=0", "scale is 0"),
    ("include=sweep", "there is no sweep; give one, such as sweep=8"),
    ("include=film", "heatmap, perturbation, explained"),
    ("include=", "include is empty"),
    ("top_k=-1", "top_k is -1"),
    ("seed=x", "seed is 'x'"),
    ("timeout_ms=0", "timeout_ms is 0"),
    ("timeout_ms=60001", "at most 60000 here"),
    ("against=all", "against 'all' is no class of this model"),
    ("targets=dog&against=dog", "dog cannot be contrasted with itself"),
    ("methods=lime", "methods 'lime' is not offered; it must be one of adversarial, gradient,"),
    ("judge=small", "judge is given, but reads explained pictures for quality alone"),
    ("margin=maybe", "margin is 'maybe'"),
    ("target=dog", "did you mean targets?"),
    ("rho=0.1&rho=0.2", "rho is given 2 times"),
]


def check(answer: httpx.Response, status: int, slug: str, detail: str, *more: str) -> None:
    problem = answer.json()
    assert (answer.status_code, problem["type"]) == (status, f"/problems/{slug}"), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert list(problem) == ["type", "title", "status", "detail", "instance", *more]
    assert detail in problem["detail"]
    assert problem["detail"].endswith((".", "?"))
    assert problem["status"] == status
    assert problem["instance"] == answer.headers[REQUEST_ID]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status}-{case.slug}")
def test_a_bad_request_gets_its_problem(client: httpx.Client, case: Case) -> None:
    answer = client.request(case.method, case.path, content=case.content, headers=case.headers)
    check(answer, case.status, case.slug, case.detail)


@pytest.mark.parametrize(("query", "detail"), OPTIONS, ids=[query for query, _ in OPTIONS])
def test_a_bad_option_gets_422_and_a_sentence(client: httpx.Client, query: str, detail: str) -> None:
    check(client.post(f"{EXPLAIN}?{query}", content=IMAGE, headers=RAW), 422, "invalid-option", detail)


def test_a_method_that_is_not_allowed_is_told_which_are(client: httpx.Client) -> None:
    assert client.get(EXPLAIN).headers["allow"] == "POST"


def test_a_body_without_a_length_is_counted_as_it_comes(client: httpx.Client) -> None:
    chunks = (bytes(50_000) for _ in range(12))
    check(client.post(PREDICT, content=chunks, headers=RAW), 413, "image-too-large", "too large")


def test_more_targets_than_a_request_may_have(served: Served) -> None:
    """The bound is 3, the number of classes: all of them pass."""
    answer = served.client.post(f"{EXPLAIN}?targets=all&steps=1", content=IMAGE, headers=RAW)
    assert len(answer.raise_for_status().json()["explanations"]) == 3


def test_a_deadline_that_passes_is_504_and_says_how_far_it_came(client: httpx.Client) -> None:
    path = f"{EXPLAIN}?model=slow&method=paper&steps=1000&targets=all&timeout_ms=800"
    answer = client.post(path, content=IMAGE, headers=RAW)
    check(answer, 504, "deadline-exceeded", "within 800 ms", "reached")
    assert "a longer timeout_ms. With partial=true the answer is what was found" in answer.json()["detail"]
    reached = answer.json()["reached"]
    assert [(one["target"], one["target_id"], one["steps"]) for one in reached] == [
        (name, number, 1000) for number, name in enumerate(CLASSES)
    ]
    assert all(0 <= one["step"] < 1000 and 0 < one["probability"] < 1 for one in reached)


@pytest.mark.parametrize("path", [EXPLAIN, PREDICT])
def test_a_deadline_before_any_target_was_chosen_is_504(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(parts, "WorkToken", lambda _: WorkToken(0.0))
    check(client.post(path, content=IMAGE, headers=RAW), 504, "deadline-exceeded", "a longer timeout_ms.")


def test_half_a_surrogate_pair_is_a_sentence_too(client: httpx.Client) -> None:
    body = b'{"image": "' + BASE64.encode() + b'", "model": "\\ud800", "\\udfff": 1}'
    answer = client.post(EXPLAIN, content=body, headers={"content-type": "application/json"})
    check(answer, 422, "invalid-option", "is no option")


def test_each_kind_has_a_page(client: httpx.Client) -> None:
    for slug, kind in KINDS.items():
        page = client.get(f"/problems/{slug}").raise_for_status()
        assert page.headers["content-type"].startswith("text/html")
        assert kind.title in page.text


def test_a_type_names_one_kind(client: httpx.Client) -> None:
    del client
    assert len({kind.slug for kind in TABLE.values()}) == len(TABLE)
