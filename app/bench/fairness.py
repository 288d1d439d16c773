"""What one client who asks for much does to those who ask for little."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.bench.clients import Round, ask_for
from app.bench.lines import Findings, Goal, share_of
from app.bench.plan import Plan
from app.bench.server import EXPLAIN, Client, Request, Server, started_server
from app.bench.serving import explaining_clients, pooled
from app.bench.subject import Subject
from app.bench.timing import Tell, percentile
from app.errors import DataError

SMALL_CLIENTS = 8
BIG_STEPS = 200

_BIG = Request(EXPLAIN, {"targets": "all", "steps": str(BIG_STEPS), "method": "paper"})


def measure_fairness(subject: Subject, plan: Plan, tell: Tell) -> Findings:
    """Latency of 8 clients with default options, without and with one who wants all targets by 200 steps, in turns."""
    with started_server(subject, "fairness") as server:
        return fairness_at(server, subject, plan, tell)


def fairness_at(server: Server, subject: Subject, plan: Plan, tell: Tell) -> Findings:
    """The same of a server that runs already."""
    what = f"{SMALL_CLIENTS} clients beside a big one"
    rounds: dict[str, list[Round]] = {"without": [], "with": []}
    small = explaining_clients(subject, server, SMALL_CLIENTS)
    tell(what, 0, plan.rounds)
    ask_for(plan.warm_up_seconds, small)
    for number in range(plan.rounds):
        rounds["without"].append(ask_for(plan.round_seconds, small))
        with _big_client(subject, server):
            rounds["with"].append(ask_for(plan.round_seconds, small))
        tell(what, number + 1, plan.rounds)
    p95 = {name: 1000 * percentile(pooled(some), 0.95) for name, some in rounds.items()}
    line = share_of(
        f"{SMALL_CLIENTS} clients beside one of all targets, {BIG_STEPS} steps: p95",
        p95["with"],
        p95["without"],
        "ms",
        "without it",
        Goal(2, at_least=False),
    )
    return Findings((line,), {f"latencies_seconds_{name}": pooled(some) for name, some in rounds.items()})


@contextmanager
def _big_client(subject: Subject, server: Server) -> Iterator[None]:
    """One who asks for much, again and again, until the block ends; then it hangs up, and the server lets go of it."""
    client, over = Client(server), threading.Event()
    failures: list[Exception] = []

    def ask() -> None:
        while not over.is_set():
            try:
                client.ask(_BIG, subject.small_files[0])
            except DataError as error:
                if not over.is_set():
                    failures.append(error)
                return

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        client.hang_up()
        thread.join()
    if failures:
        raise DataError(f"The big client had no answer: {failures[0]}") from failures[0]
