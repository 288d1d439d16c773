"""POST /v1/explanations as server-sent events."""

import base64
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image

from app.web import parts, stream
from app.web.events import KEEP_ALIVE
from tests.engine.small import LateToken
from tests.web.numbers import read_numbers
from tests.web.serving import Served, picture, serving, small_settings, wait_until
from tests.web.streams import EVENTS, Event, read_events

IMAGE = picture()
URL = "/v1/explanations"
LONG = {"model": "slow", "steps": "1000", "targets": "all"}
"""Takes far longer than any test here waits."""


def explained(client: httpx.Client, **options: object) -> list[Event]:
    answer = client.post(URL, files={"image": IMAGE}, data=options, headers=EVENTS).raise_for_status()
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return list(read_events(answer.text.splitlines()))


@contextmanager
def streaming(served: Served, **options: str) -> Iterator[Iterator[Event]]:
    """The events of an explanation as they come; its connection is closed where the block ends."""
    with served.client.stream("POST", URL, files={"image": IMAGE}, data=options, headers=EVENTS) as answer:
        assert answer.status_code == 200
        yield read_events(answer.iter_lines())


def test_events_come_in_order_and_are_numbered(client: httpx.Client) -> None:
    events = explained(client, steps="5", method="paper")
    names = [event.name for event in events]
    assert (names[:2], names[-1]) == (["started", "targets"], "result")
    assert set(names[2:-1]) == {"progress"}
    assert [event.number for event in events] == list(range(1, len(events) + 1))


def test_the_first_events_say_what_the_result_says(client: httpx.Client) -> None:
    started, targets, *_, result = explained(client, steps="5")
    assert started.data == {name: result.data[name] for name in ("id", "created", "model", "image")}
    assert targets.data["prediction"] == result.data["prediction"]
    assert targets.data["targets"] == [
        {name: one[name] for name in ("target", "target_id", "role")} for one in result.data["explanations"]
    ]


@pytest.mark.parametrize(
    "options",
    [{}, {"method": "paper", "steps": "4"}, {"include": "explained,arrays", "targets": "dog,2", "top_k": "0"}],
    ids=str,
)
def test_the_result_is_the_ordinary_answer(client: httpx.Client, options: dict[str, str]) -> None:
    result = explained(client, **options)[-1].data
    ordinary = client.post(URL, files={"image": IMAGE}, data=options).raise_for_status().json()
    for answer in (result, ordinary):
        for changing in ("id", "created", "timing_ms", "kept_until"):
            del answer[changing]
    assert result == ordinary


def test_each_target_is_followed_to_its_last_step(client: httpx.Client) -> None:
    events = explained(client, steps="5", method="paper", targets="all")
    for one in events[-1].data["explanations"]:
        mine = [event.data for event in events if event.name == "progress" and event.data["target"] == one["target"]]
        assert [each["step"] for each in mine] == sorted(each["step"] for each in mine)
        assert (mine[-1]["step"], mine[-1]["steps"]) == (5, 5)
        assert mine[-1]["probability"] == pytest.approx(one["probability_after"], abs=0.02)
        drawn = Image.open(io.BytesIO(base64.b64decode(mine[-1]["picture"]["data"])))
        assert drawn.size == (mine[-1]["picture"]["width"], mine[-1]["picture"]["height"]) == (8, 8)


def test_progress_is_told_while_the_device_works(served: Served) -> None:
    with streaming(served, **LONG) as events:
        assert [next(events).name for _ in range(3)] == ["started", "targets", "progress"]
        while next(events).data["step"] < 2:
            pass
        assert served.places_taken == 1
    wait_until(lambda: served.places_taken == 0)


@pytest.mark.parametrize(
    ("query", "content", "status", "slug"),
    [
        ("rho=5", IMAGE, 422, "invalid-option"),
        ("targets=doog", IMAGE, 422, "invalid-option"),
        ("model=nobody", IMAGE, 404, "unknown-model"),
        ("", b"%!PS", 415, "not-an-image"),
        ("", IMAGE[: len(IMAGE) // 2], 400, "damaged-image"),
    ],
)
def test_what_is_wrong_before_work_begins_has_its_own_status(
    client: httpx.Client, query: str, content: bytes, status: int, slug: str
) -> None:
    answer = client.post(f"{URL}?{query}", content=content, headers={"content-type": "image/png", **EVENTS})
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_full_server_says_so_by_its_status(served: Served) -> None:
    with streaming(served, **LONG) as first, streaming(served, **LONG) as second:
        assert next(first).name == next(second).name == "started"
        answer = served.client.post(URL, files={"image": IMAGE}, headers=EVENTS)
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/full")
        assert int(answer.headers["retry-after"]) >= 1
    wait_until(lambda: served.places_taken == 0)


def test_what_goes_wrong_later_is_the_last_event(client: httpx.Client) -> None:
    data = {**LONG, "method": "paper", "timeout_ms": "500"}
    answer = client.post(URL, files={"image": IMAGE}, data=data, headers=EVENTS)
    *_, last = read_events(answer.text.splitlines())
    assert (last.name, last.data["type"], last.data["status"]) == ("problem", "/problems/deadline-exceeded", 504)
    assert last.data["instance"] == answer.headers["X-Request-ID"]
    assert [one["target_id"] for one in last.data["reached"]] == [0, 1, 2]


def test_with_partial_a_late_stream_ends_with_what_was_found_by_then(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = LateToken()
    token.be_late_in(3, served.parts.catalogue.served("tiny").model, monkeypatch)
    monkeypatch.setattr(parts, "WorkToken", lambda _: token)
    events = explained(served.client, method="paper", steps="1000", targets="all", partial="true")
    assert events[-1].name == "result"
    for one in events[-1].data["explanations"]:
        assert (one["steps"], one["cut_short"]) == (3, True)
        *_, last = [each.data for each in events if each.name == "progress" and each.data["target"] == one["target"]]
        assert (last["step"], last["steps"]) == (3, 1000)
        assert last["probability"] == pytest.approx(one["probability_after"], abs=0.02)


def test_a_client_that_goes_away_frees_its_place(served: Served) -> None:
    with streaming(served, **LONG) as events:
        next(events)
        assert served.places_taken == 1
    wait_until(lambda: served.places_taken == 0)


def test_a_cancelled_explanation_frees_its_place_and_its_stream_says_so(served: Served) -> None:
    with streaming(served, **LONG) as events:
        started = next(events)
        assert served.client.delete(f"{URL}/{started.data['id']}").status_code == 204
        *_, last = events
    assert (last.name, last.data["type"], last.data["status"]) == ("problem", "/problems/cancelled", 499)
    assert last.data["detail"] == "The explanation was cancelled by its id."
    wait_until(lambda: served.places_taken == 0)

    def all_rows_ended() -> bool:
        numbers = read_numbers(served.client)
        return numbers["aex_ended_rows_total"] == numbers["aex_asked_rows_total"]

    wait_until(all_rows_ended)  # the device's thread drops them before its next step


def test_what_is_worked_on_cannot_be_had_by_its_id_yet(served: Served) -> None:
    with streaming(served, **LONG) as events:
        answer = served.client.get(f"{URL}/{next(events).data['id']}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-explanation")
        assert "still worked on" in answer.json()["detail"]
    wait_until(lambda: served.places_taken == 0)


def test_what_a_stream_told_of_can_be_had_by_its_id(client: httpx.Client) -> None:
    *_, result = explained(client, steps="1")
    assert client.get(f"{URL}/{result.data['id']}").raise_for_status().json() == result.data


def test_a_client_that_does_not_read_holds_up_nobody(served: Served) -> None:
    with streaming(served, **LONG) as unread:
        assert explained(served.client, steps="1")[-1].name == "result"
        assert next(unread).name == "started"
    wait_until(lambda: served.places_taken == 0)


def test_who_waits_for_events_when_the_server_stops_is_told(models_dir: Path) -> None:
    with serving(small_settings(models_dir)) as served:
        client = httpx.Client(base_url=served.client.base_url, timeout=30)
        answer = client.send(
            client.build_request("POST", URL, files={"image": IMAGE}, data=LONG, headers=EVENTS), stream=True
        )
        events = read_events(answer.iter_lines())
        next(events)
    *_, last = events
    assert (last.name, last.data["type"]) == ("problem", "/problems/full")
    client.close()


def test_silence_is_broken_by_a_comment(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEEP_ALIVE_SECONDS", 0.0)
    monkeypatch.setattr(stream, "PROGRESS_SECONDS", 0.01)  # looks more often than there are news
    fields = {"image": IMAGE}
    with served.client.stream("POST", URL, files=fields, data=LONG, headers=EVENTS) as answer:
        assert any(line == KEEP_ALIVE.decode().strip() for line in answer.iter_lines())
    wait_until(lambda: served.places_taken == 0)


def test_the_stream_is_described_with_an_example(client: httpx.Client) -> None:
    responses = client.get("/openapi.json").json()["paths"][URL]["post"]["responses"]
    example = responses["200"]["content"]["text/event-stream"]["example"]
    assert re.findall("^event: (.*)$", example, re.MULTILINE) == ["started", "targets", "progress", "result"]
