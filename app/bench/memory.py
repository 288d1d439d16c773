"""Whether a server's memory grows with the number of requests that it has answered."""

from app.bench.clients import ask_in_all
from app.bench.lines import Findings, Goal, share_of
from app.bench.plan import Plan
from app.bench.server import EXPLAIN, PREDICT, Client, Request, Server, started_server
from app.bench.serving import CLIENTS
from app.bench.subject import Subject
from app.bench.timing import Tell, Work

_MIXED = (
    *[Request(PREDICT)] * 12,
    Request(EXPLAIN),
    Request(EXPLAIN, {"targets": "all", "method": "paper", "steps": "5"}, "application/zip"),
    Request(EXPLAIN, {"direction": "discourage", "heatmap": "magnitude"}, "text/event-stream"),
    Request(EXPLAIN, {"targets": "runner_up", "against": "predicted", "include": "arrays"}),
)
"""A prediction three times in four; explanations of every kind that differs in what the server holds in memory."""

_MIB = 2**20
_REPORTS = 20


def measure_memory(subject: Subject, plan: Plan, tell: Tell) -> Findings:
    """The server's peak of resident memory after so many mixed requests by 16 clients, beside that after a tenth."""
    what, (few, many) = "mixed requests", plan.requests
    peaks: dict[int, int] = {}
    tell(what, 0, many)
    with started_server(subject, "memory", AEX_PLACES=str(CLIENTS)) as server:
        clients = [_mixed(subject, server) for _ in range(CLIENTS)]
        marks = sorted({few, *range(0, many, max(1, many // _REPORTS)), many} - {0})
        for begin, end in zip([0, *marks], marks, strict=False):
            ask_in_all(range(begin, end), clients)
            peaks[end] = server.memory_peak_bytes()
            tell(what, end, many)
    line = share_of(
        f"peak memory after {many} mixed requests",
        peaks[many] / _MIB,
        peaks[few] / _MIB,
        "MiB",
        f"after {few}",
        Goal(1.1, at_least=False),
    )
    return Findings((line,), {"peak_bytes_after": peaks})


def _mixed(subject: Subject, server: Server) -> Work:
    client, files = Client(server), subject.files
    return lambda number: client.ask(_MIXED[number % len(_MIXED)], files[number % len(files)])
