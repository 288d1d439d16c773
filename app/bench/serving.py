"""What a server adds to the engine, and what it gains by sharing steps: many clients at once, over HTTP."""

from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median

from app.bench.clients import Round, ask_for
from app.bench.lines import Findings, Goal, Line, share_of
from app.bench.plan import Plan
from app.bench.server import EXPLAIN, Client, Request, Server, started_server
from app.bench.subject import Subject
from app.bench.timing import Tell, Work, percentile
from app.engine.token import WorkToken
from app.service.options import ExplainOptions
from app.service.passes import choose, explain_targets, logits_of

CLIENTS = 16

_SERVER, _DIRECT, _ALONE = "server", "engine", "server, one row a step"


def measure_http(subject: Subject, plan: Plan, tell: Tell) -> Findings:
    """Explanations a second of 16 clients: by a server, by the engine fed directly, by a server that shares no step.

    Every picture is of the network's own size, and all options are what a request that names none gets. The engine is
    asked for exactly what the server asks it for; it decodes nothing and draws no pictures.
    """
    with ExitStack() as stack:
        shared = stack.enter_context(started_server(subject, "shared"))
        alone = stack.enter_context(started_server(subject, "alone", AEX_MAX_STEP_ROWS="1"))
        return compare_servers(subject, shared, alone, plan, tell)


def compare_servers(subject: Subject, shared: Server, alone: Server, plan: Plan, tell: Tell) -> Findings:
    """The same of servers that run already; `alone` makes each step with one row."""
    what = f"{CLIENTS} clients"
    asking = {
        _SERVER: explaining_clients(subject, shared, CLIENTS),
        _DIRECT: [_feeding(subject)] * CLIENTS,
        _ALONE: explaining_clients(subject, alone, CLIENTS),
    }
    rounds: dict[str, list[Round]] = {name: [] for name in asking}
    tell(what, 0, plan.rounds)
    for clients in asking.values():
        ask_for(plan.warm_up_seconds, clients)
    for number in range(plan.rounds):
        for name, clients in asking.items():
            rounds[name].append(ask_for(plan.round_seconds, clients))
        tell(what, number + 1, plan.rounds)
    return Findings(tuple(_lines(rounds)), {name: [_as_json(one) for one in some] for name, some in rounds.items()})


def explaining_clients(subject: Subject, server: Server, clients: int) -> list[Work]:
    """Each with a connection of its own, asking for an explanation with the options that nobody has to name."""
    return [_explaining(subject, Client(server)) for _ in range(clients)]


def pooled(rounds: Sequence[Round]) -> list[float]:
    """The latencies of all."""
    return [seconds for one in rounds for seconds in one.latencies]


def _explaining(subject: Subject, client: Client) -> Work:
    files = subject.small_files
    return lambda number: client.ask(Request(EXPLAIN), files[number % len(files)])


def _feeding(subject: Subject) -> Work:
    """What `Explainer.explain` asks the engine for."""
    options, token = ExplainOptions(), WorkToken()
    rows = len(options.targets)

    def feed(number: int) -> object:
        image = subject.pictures[number % len(subject.pictures)]
        with subject.engine.place(subject.model, rows=rows, steps=options.expected_gradients(rows, 1)) as place:
            chosen = choose(place, image, subject.classes, options, token)
            (found,) = explain_targets(place, image, chosen, options, (subject.rho,), token)
            return logits_of(place, (image + found.explanation.perturbation).clamp(0, 1), token)

    return feed


def _lines(rounds: dict[str, list[Round]]) -> list[Line]:
    rate = {name: median(one.per_second for one in some) for name, some in rounds.items()}
    latencies = pooled(rounds[_SERVER])
    p50, p99 = (1000 * percentile(latencies, share) for share in (0.5, 0.99))
    what = f"{CLIENTS} HTTP clients, explanations"
    return [
        share_of(what, rate[_SERVER], rate[_DIRECT], "/s", "the engine fed directly", Goal(0.9)),
        share_of(what, rate[_SERVER], rate[_ALONE], "/s", "one row a step", Goal(3)),
        share_of(f"{CLIENTS} HTTP clients, p99 latency", p99, p50, "ms", "p50", Goal(2, at_least=False)),
    ]


def _as_json(one: Round) -> dict[str, object]:
    return {"seconds": one.seconds, "answers": len(one.latencies), "latencies_seconds": one.latencies}
