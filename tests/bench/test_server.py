"""A real server process under the benchmark's clients."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from app.bench.fairness import fairness_at
from app.bench.memory import compare_memory
from app.bench.plan import Plan
from app.bench.server import EXPLAIN, PREDICT, Client, Request, Server, started_server
from app.bench.serving import compare_servers
from app.bench.subject import Subject
from app.errors import DataError
from tests.web.numbers import Numbers, read_numbers
from tests.web.serving import wait_until

pytestmark = pytest.mark.slow

PLAN = Plan(rounds=2, round_seconds=0.2, requests=(16, 48))


@pytest.fixture(scope="module")
def server(subject: Subject) -> Iterator[Server]:
    with started_server(subject, "log", AEX_THREADS="1") as server:
        yield server


def numbers(server: Server) -> Numbers:
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        return read_numbers(client)


def nobody(what: str, done: int, of: int) -> None:
    del what, done, of


def test_http_is_measured_beside_the_engine_and_a_server_that_shares_no_step(subject: Subject, server: Server) -> None:
    """Each explanation that a client had is one of the server's own count; one server stands for both here."""
    before = numbers(server)
    found = compare_servers(subject, server, server, PLAN, nobody)
    assert [(line.what, line.peer) for line in found.lines] == [
        ("16 HTTP clients, explanations", "the engine fed directly"),
        ("16 HTTP clients, explanations", "one row a step"),
        ("16 HTTP clients, p99 latency", "p50"),
    ]
    assert found.lines[2].ours >= found.lines[2].peers
    answers = {name: [one["answers"] for one in rounds] for name, rounds in found.measured.items()}  # type: ignore[attr-defined]  # lists, as JSON has them
    assert set(answers) == {"server", "engine", "server, one row a step"}
    assert all(len(some) == 2 and min(some) >= 16 for some in answers.values())
    timed = sum(answers["server"]) + sum(answers["server, one row a step"])
    assert numbers(server).since(before).total("aex_engine_requests_total", outcome="done") >= timed


def test_small_clients_are_timed_without_and_with_a_big_one_that_then_hangs_up(
    subject: Subject, server: Server
) -> None:
    before = numbers(server)
    (line,) = fairness_at(server, subject, PLAN, nobody).lines
    assert line.what == "8 clients beside one of all targets, 200 steps: p95"
    assert min(line.ours, line.peers) > 0
    wait_until(lambda: numbers(server)["aex_engine_taken_places"] == 0)
    assert numbers(server).since(before).total("aex_http_requests_total", status="503") == 0


def test_a_client_that_hangs_up_has_no_answer(subject: Subject, server: Server) -> None:
    client, long = Client(server), Request(EXPLAIN, {"targets": "all", "steps": "1000", "method": "paper"})
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(client.ask, long, subject.small_files[0])
        wait_until(lambda: numbers(server)["aex_engine_running_rows"] == len(subject.classes))
        client.hang_up()
        with pytest.raises(DataError, match="gave no answer"):
            asked.result(60)


def test_a_client_says_what_the_server_said(subject: Subject, server: Server) -> None:
    assert b'"prediction"' in Client(server).ask(Request(PREDICT), subject.small_files[0])
    with pytest.raises(DataError, match=r"answered 422 to .*no class of this model"):
        Client(server).ask(Request(EXPLAIN, {"targets": "tea"}), subject.small_files[0])


def test_memory_is_each_servers_peak_after_so_many_requests(subject: Subject, server: Server) -> None:
    """One server stands for both here."""
    found = compare_memory(subject, server, server, PLAN, nobody)
    peaks = found.measured["peak_bytes_after"]
    assert isinstance(peaks, dict)
    assert len(found.lines) == len(peaks) == 2
    for line, peaks_of in zip(found.lines, peaks.values(), strict=True):
        assert max(peaks_of) == 48
        assert list(peaks_of.values()) == sorted(peaks_of.values())
        assert line.ours == peaks_of[48] / 2**20 > 50  # an interpreter with torch has more than that
        assert line.peers == peaks_of[16] / 2**20


def test_a_server_that_cannot_start_says_why(subject: Subject) -> None:
    with pytest.raises(DataError, match="AEX_PLACES is '0'"), started_server(subject, "none", AEX_PLACES="0"):
        pass
