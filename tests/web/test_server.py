"""The server under load, and with clients that go away, are slow, or lie."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import torch

from app.errors import CheckpointError
from app.main import create_app
from tests.web.serving import (
    LONG,
    Served,
    asking,
    connection,
    head,
    picture,
    serving,
    serving_app,
    small_settings,
    wait_until,
)

IMAGE = picture()
SOON_SECONDS = 2.0


def test_when_places_are_full_others_are_told_when_to_come_again(served: Served) -> None:
    with asking(served):
        answer = served.client.post("/v1/explanations", files={"image": IMAGE})
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/full")
        assert int(answer.headers["retry-after"]) >= 1
    wait_until(lambda: served.places_taken == 0)


def test_a_client_that_goes_away_frees_its_place(served: Served) -> None:
    with asking(served):
        gone = time.monotonic()
    wait_until(lambda: served.places_taken == 0)
    assert time.monotonic() - gone < SOON_SECONDS
    served.client.post("/v1/predictions", files={"image": IMAGE}).raise_for_status()


def test_a_client_that_goes_away_while_it_waits_frees_its_place(served: Served) -> None:
    long = head(LONG, f"Content-Length: {len(IMAGE)}"), IMAGE
    with connection(served, *long):
        wait_until(lambda: served.places_taken == 1)
        with connection(served, *long):
            wait_until(lambda: served.places_taken == 2)
        wait_until(lambda: served.places_taken == 1, seconds=SOON_SECONDS)
    wait_until(lambda: served.places_taken == 0)


def test_who_still_waits_when_the_server_stops_is_told(models_dir: Path) -> None:
    with ExitStack() as after:
        with serving(small_settings(models_dir)) as served:
            asked = connection(served, head(LONG, f"Content-Length: {len(IMAGE)}"), IMAGE)
            opened = after.enter_context(asked)
            wait_until(lambda: served.places_taken == 1)
        assert opened.recv(100).startswith(b"HTTP/1.1 503")


def test_health_is_answered_while_the_device_works(served: Served) -> None:
    waits = []
    with asking(served):
        for _ in range(20):
            began = time.monotonic()
            served.client.get("/healthz").raise_for_status()
            waits.append(time.monotonic() - began)
    assert max(waits) < 0.5
    wait_until(lambda: served.places_taken == 0)


def test_an_upload_that_breaks_off_leaves_nothing_behind(served: Served) -> None:
    with connection(served, head("/v1/predictions", "Content-Length: 1000"), b"half"):
        pass
    served.client.post("/v1/predictions", files={"image": IMAGE}).raise_for_status()
    assert served.places_taken == 0


def test_a_length_too_large_is_refused_before_a_byte_is_asked_for(served: Served) -> None:
    said = head("/v1/predictions", "Content-Length: 1000000000", "Expect: 100-continue")
    with connection(served, said) as opened:
        assert opened.recv(100).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("length", ["-5", "abc", "1" * 30])
def test_a_length_that_is_none_is_the_clients_fault(served: Served, length: str) -> None:
    with connection(served, head("/v1/predictions", f"Content-Length: {length}"), b"x") as opened:
        assert opened.recv(100).startswith(b"HTTP/1.1 4")


def test_an_upload_slower_than_allowed_is_given_up(models_dir: Path) -> None:
    half = head("/v1/predictions", "Content-Length: 1000"), b"half"
    with serving(small_settings(models_dir, max_upload_seconds=0.3)) as served, connection(served, *half) as opened:
        assert opened.recv(100).startswith(b"HTTP/1.1 408")


def test_uploads_that_would_fill_the_memory_are_refused(models_dir: Path) -> None:
    """Five bodies of the largest size may be held: one place and four spare threads, 332,203 bytes each."""
    unfinished = head("/v1/predictions", "Content-Length: 332000"), bytes(331_000)
    with serving(small_settings(models_dir, places=1)) as served, ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(connection(served, *unfinished))
        wait_until(lambda: served.held_bytes == 5 * 331_000)
        answer = served.client.post("/v1/predictions", content=bytes(100_000))
        assert (answer.status_code, answer.json()["type"]) == (503, "/problems/full")
        stack.close()
        wait_until(lambda: served.held_bytes == 0)


def test_not_ready_until_warm(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.parts.readiness, "warm", False)
    answer = served.client.get("/readyz")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/not-ready")
    assert "retry-after" in answer.headers


def test_the_threads_of_tensors_are_bounded_everywhere(models_dir: Path) -> None:
    before = torch.get_num_threads()
    create_app(small_settings(models_dir, threads=3))
    with ThreadPoolExecutor(1) as other:
        assert other.submit(torch.get_num_threads).result() == 3
    torch.set_num_threads(before)


@pytest.mark.parametrize("error", [ValueError("a secret"), CheckpointError("a secret path")])
def test_what_nobody_expected_is_500_without_a_word_of_it(models_dir: Path, error: Exception) -> None:
    app = create_app(small_settings(models_dir))

    @app.get("/broken")
    async def broken() -> None:
        raise error

    with serving_app(app) as served:
        answer = served.client.get("/broken")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal-error")
    assert "secret" not in answer.text


def test_a_safe_request_id_is_kept(client: httpx.Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1_2"}).headers["X-Request-ID"] == "abc-1_2"


@pytest.mark.parametrize("unsafe", ["a b", "x" * 65, "a/b", "a\tb"])
def test_an_unsafe_request_id_is_replaced(client: httpx.Client, unsafe: str) -> None:
    assert len(client.get("/healthz", headers={"X-Request-ID": unsafe}).headers["X-Request-ID"]) == 26


def test_request_ids_sort_by_time(client: httpx.Client) -> None:
    first = client.get("/healthz").headers["X-Request-ID"]
    time.sleep(0.002)
    assert first < client.get("/healthz").headers["X-Request-ID"]


@pytest.mark.parametrize("path", ["/healthz", "/docs", "/nowhere"])
def test_every_answer_has_the_security_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"].startswith("default-src 'none'")
