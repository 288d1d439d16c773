"""Whether a server's memory grows with the number of requests that it has answered."""

from contextlib import ExitStack

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
    """A server's peak of resident memory after so many mixed requests by 16 clients, beside that after a tenth.

    Of a server as it is by default, which keeps results for a while in memory of a bounded size, and so grows until
    that is full; and of one that keeps none, which has no reason to grow.
    """
    with ExitStack() as stack:
        keeping = stack.enter_context(started_server(subject, "keeping"))
        keeping_none = stack.enter_context(started_server(subject, "keeping-none", AEX_RESULT_TTL_SECONDS="0"))
        return compare_memory(subject, keeping, keeping_none, plan, tell)


def compare_memory(subject: Subject, keeping: Server, keeping_none: Server, plan: Plan, tell: Tell) -> Findings:
    """The same of servers that run already."""
    what, (few, many) = "mixed requests", plan.requests
    servers = {"results kept": keeping, "none kept": keeping_none}
    clients = {name: [_mixed(subject, server) for _ in range(CLIENTS)] for name, server in servers.items()}
    peaks: dict[str, dict[int, int]] = {name: {} for name in servers}
    marks = sorted({few, *range(0, many, max(1, many // _REPORTS)), many} - {0})
    tell(what, 0, many)
    for begin, end in zip([0, *marks], marks, strict=False):
        for name, server in servers.items():
            ask_in_all(range(begin, end), clients[name])
            # The kernel counts pages roughly, and a peak may look lower than it did.
            peaks[name][end] = max([server.memory_peak_bytes(), *peaks[name].values()])
        tell(what, end, many)
    lines = tuple(
        share_of(
            f"peak memory, {many} mixed requests, {name}",
            peaks_of[many] / _MIB,
            peaks_of[few] / _MIB,
            "MiB",
            f"after {few}",
            Goal(1.1, at_least=False),
        )
        for name, peaks_of in peaks.items()
    )
    return Findings(lines, {"peak_bytes_after": peaks})


def _mixed(subject: Subject, server: Server) -> Work:
    client, files = Client(server), subject.files
    return lambda number: client.ask(_MIXED[number % len(_MIXED)], files[number % len(files)])
