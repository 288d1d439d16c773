"""A server under load: nothing is lost, nothing hangs, and every reply and every row is accounted for in its numbers.

With clients that vanish or are late, a poisoned model beside a healthy one, and weights that change.
"""

import socket
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.main import create_app
from tests.end_to_end.conftest import started_server
from tests.web.numbers import Numbers, read_numbers
from tests.web.serving import picture, save_poisoned, save_tiny, serving_app, small_settings, wait_until

pytestmark = pytest.mark.slow

PLACES = 16
IMAGE = picture()
PREDICT, EXPLAIN = "/v1/predictions", "/v1/explanations"
ROWS = 3  # explanations of one request that asks for all targets of `tiny`
WAIT_SECONDS = 120

Ask = tuple[str, dict[str, str]]
"""A route, and options."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """For a server process with `tiny`, healthy, and `poisoned`."""
    folder = tmp_path_factory.mktemp("models")
    save_tiny(folder / "tiny", seed=1)
    save_poisoned(folder / "poisoned")
    settings = {"MODELS_DIR": str(folder), "DEFAULT_MODEL": "tiny", "PLACES": str(PLACES), "THREADS": "1"}
    settings["MAX_QUEUE_SECONDS"] = "3600"  # places bound what is inside, not how busy the machine is with others
    with (
        started_server(folder / "log", **{f"AEX_{name}": value for name, value in settings.items()}) as address,
        httpx.Client(base_url=address, timeout=WAIT_SECONDS) as client,
    ):
        yield client


def ask_all(client: httpx.Client, asks: Iterable[Ask], clients: int = PLACES) -> list[httpx.Response]:
    """The answers to all, asked by so many clients at once."""
    with ThreadPoolExecutor(clients) as threads:
        return list(threads.map(lambda ask: client.post(ask[0], files={"image": IMAGE}, data=ask[1]), asks))


def accounted(client: httpx.Client, before: Numbers, sent: Counter[tuple[str, int]]) -> Numbers:
    """The numbers since then, once they say that exactly these requests, by route and status, were answered."""

    def since() -> Numbers:
        return read_numbers(client).since(before)

    def answered(route: str) -> float:
        return since().total("aex_http_requests_total", route=route)

    for route in (PREDICT, EXPLAIN):
        requests = sum(count for (path, _), count in sent.items() if path == route)
        wait_until(lambda route=route, requests=requests: answered(route) == requests, WAIT_SECONDS)  # type: ignore[misc]  # bound early
    wait_until(lambda: since()["aex_ended_rows_total"] == since()["aex_asked_rows_total"], WAIT_SECONDS)
    numbers = since()
    for (route, status), count in sent.items():
        assert numbers.total("aex_http_requests_total", route=route, status=str(status)) == count
    assert numbers["aex_engine_requests_total"] == sent.total()
    assert read_numbers(client)["aex_engine_taken_places"] == 0
    assert read_numbers(client)["aex_engine_running_rows"] == 0
    return numbers


def statuses(asks: list[Ask], answers: list[httpx.Response]) -> Counter[tuple[str, int]]:
    return Counter((ask[0], answer.status_code) for ask, answer in zip(asks, answers, strict=True))


def top(answer: httpx.Response) -> dict[str, float]:
    found = answer.raise_for_status().json()["prediction"]["top"]
    return {entry["class"]: entry["probability"] for entry in found}


def test_load(client: httpx.Client) -> None:
    """Ten thousand predictions interleaved with explanations: all are answered, all alike."""
    before, predictions, explanations = read_numbers(client), 10_000, 500
    one_round: list[Ask] = [(EXPLAIN, {"steps": "5"}), *[(PREDICT, {})] * (predictions // explanations)]
    asks = one_round * explanations
    answers = ask_all(client, asks)
    sent = statuses(asks, answers)
    assert sent == {(EXPLAIN, 200): explanations, (PREDICT, 200): predictions}
    right = top(answers[0])
    assert all(top(answer) == pytest.approx(right, abs=1e-5) for answer in answers)
    since = accounted(client, before, sent)
    rows = predictions + explanations * (1 + 2 + 2)
    assert since["aex_ended_rows_total"] == since.total("aex_ended_rows_total", outcome="done") == rows
    assert since["aex_gradient_evaluations_total"] == explanations * 2 * 5


def test_more_clients_than_places(client: httpx.Client) -> None:
    """Who finds no place is told when to come again, and counted; the others are answered."""
    before = read_numbers(client)
    asks: list[Ask] = [(EXPLAIN, {"steps": "40", "targets": "all"})] * (5 * PLACES)
    answers = ask_all(client, asks, clients=3 * PLACES)
    sent = statuses(asks, answers)
    assert set(sent) == {(EXPLAIN, 200), (EXPLAIN, 503)}
    assert all(int(answer.headers["Retry-After"]) >= 1 for answer in answers if answer.status_code == 503)
    since = accounted(client, before, sent)
    assert since.total("aex_engine_requests_total", outcome="refused") == sent[EXPLAIN, 503]
    assert since.total("aex_ended_rows_total", outcome="done") == since["aex_ended_rows_total"]


def test_a_storm_of_clients_that_vanish(client: httpx.Client) -> None:
    """Half of the clients go away while all their rows are under way; the other half gets its answers."""
    before, half = read_numbers(client), PLACES // 2
    stays: list[Ask] = [(EXPLAIN, {"steps": "400", "targets": "all"})] * half
    with ThreadPoolExecutor(1) as threads, ExitStack() as storm:
        for _ in range(half):
            storm.enter_context(vanishing(client, f"{EXPLAIN}?steps=1000&targets=all"))
        wait_until(lambda: read_numbers(client)["aex_engine_running_rows"] == half * ROWS, WAIT_SECONDS)
        answers = threads.submit(ask_all, client, stays, half)
        wait_until(lambda: read_numbers(client)["aex_engine_taken_places"] == PLACES, WAIT_SECONDS)
        storm.close()
        assert [answer.status_code for answer in answers.result(WAIT_SECONDS)] == half * [200]
    since = accounted(client, before, Counter({(EXPLAIN, 200): half, (EXPLAIN, 499): half}))
    assert since.total("aex_ended_rows_total", kind="climb", outcome="cancelled") == half * ROWS
    assert since.total("aex_ended_rows_total", kind="climb", outcome="done") == half * ROWS


def vanishing(client: httpx.Client, path: str) -> socket.socket:
    """A connection that has sent its request, and goes away where its block ends."""
    connection = socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=WAIT_SECONDS)
    lines = [f"POST {path} HTTP/1.1", "Host: test", "Content-Type: image/png", f"Content-Length: {len(IMAGE)}", "", ""]
    connection.sendall("\r\n".join(lines).encode() + IMAGE)
    return connection


def test_deadlines(client: httpx.Client) -> None:
    """Explanations that cannot be done in time beside predictions that can."""
    before = read_numbers(client)
    late: Ask = (EXPLAIN, {"steps": "1000", "targets": "all", "timeout_ms": "150"})
    asks: list[Ask] = [late if number % 4 == 0 else (PREDICT, {}) for number in range(80)]
    answers = ask_all(client, asks)
    assert statuses(asks, answers) == {(EXPLAIN, 504): 20, (PREDICT, 200): 60}
    since = accounted(client, before, statuses(asks, answers))
    assert since.total("aex_engine_requests_total", outcome="deadline") == 20
    assert since.total("aex_ended_rows_total", kind="climb", outcome="done") == 0


def test_deadlines_of_those_who_take_what_there_is(client: httpx.Client) -> None:
    """Late explanations come as far as they came, each row counted as the answer says that it ended."""
    before = read_numbers(client)
    options = {"method": "paper", "steps": "1000", "targets": "all", "timeout_ms": "2000", "partial": "true"}
    asks: list[Ask] = [(EXPLAIN, options) if number % 4 == 0 else (PREDICT, {}) for number in range(80)]
    answers = ask_all(client, asks)
    assert statuses(asks, answers) == {(EXPLAIN, 200): 20, (PREDICT, 200): 60}
    explained = [one for answer in answers[::4] for one in answer.json()["explanations"]]
    assert all(one["cut_short"] == (one["steps"] < 1000) for one in explained)
    cut_short = sum(one["cut_short"] for one in explained)
    assert cut_short > 0
    since = accounted(client, before, statuses(asks, answers))
    assert since.total("aex_ended_rows_total", outcome="cut_short") == cut_short
    assert since.total("aex_gradient_evaluations_total") == sum(one["steps"] for one in explained)
    assert since.total("aex_engine_requests_total", outcome="done") == 80


def test_a_poisoned_model_beside_a_healthy_one(client: httpx.Client) -> None:
    """What the one cannot answer does not change a digit that matters of what the other does."""
    alone = client.post(EXPLAIN, files={"image": IMAGE}, data={"steps": "5"}).raise_for_status().json()
    before = read_numbers(client)
    asks: list[Ask] = [(EXPLAIN, {"steps": "5", "model": "poisoned" if number % 2 else "tiny"}) for number in range(60)]
    answers = ask_all(client, asks)
    assert {answer.json()["type"] for answer in answers[1::2]} == {"/problems/not-finite"}
    for answer in answers[::2]:
        for one, right in zip(answer.raise_for_status().json()["explanations"], alone["explanations"], strict=True):
            assert one["probability_after"] == pytest.approx(right["probability_after"], abs=1e-3)
    since = accounted(client, before, Counter({(EXPLAIN, 200): 30, (EXPLAIN, 422): 30}))
    assert since.total("aex_ended_rows_total", model="poisoned") == 30
    assert since.total("aex_ended_rows_total", model="poisoned", outcome="not_finite") == 30
    assert since.total("aex_ended_rows_total", model="tiny", outcome="done") == 30 * (1 + 2 + 2)


def test_weights_that_change_under_load(tmp_path: Path) -> None:
    """Every answer is whole, and of the very weights that it names."""
    weights = 5
    save_tiny(tmp_path / "tiny", seed=0)
    with serving_app(create_app(small_settings(tmp_path, places=PLACES))) as served:
        before, catalogue = read_numbers(served.client), served.parts.catalogue
        asks: list[Ask] = [(EXPLAIN, {"steps": "3"}) if number % 3 == 0 else (PREDICT, {}) for number in range(20)]
        right: dict[str, dict[str, float]] = {}
        answers: list[httpx.Response] = []
        with ThreadPoolExecutor(1) as threads:
            for seed in range(1, weights + 1):
                answers.append(served.client.post(PREDICT, files={"image": IMAGE}))
                right[answers[-1].json()["model"]["weights_sha256"]] = top(answers[-1])
                asking = threads.submit(ask_all, served.client, asks, 8)
                wait_until(lambda: served.places_taken > 0)
                save_tiny(tmp_path / "tiny", seed=seed % weights)
                catalogue.reload("tiny")
                answers += asking.result(WAIT_SECONDS)
        assert len(right) == weights
        for answer in answers:
            assert top(answer) == pytest.approx(right[answer.json()["model"]["weights_sha256"]], abs=1e-5)
        explanations = weights * 7
        sent = Counter({(EXPLAIN, 200): explanations, (PREDICT, 200): weights * 14})
        since = accounted(served.client, before, sent)
        assert since.total("aex_ended_rows_total", outcome="done") == weights * 14 + explanations * (1 + 2 + 2)
