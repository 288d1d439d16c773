"""The parts of the benchmark, by name and in the order to be run."""

from collections.abc import Callable, Mapping

from app.bench.fairness import measure_fairness
from app.bench.growth import measure_growth
from app.bench.latency import measure_latency
from app.bench.lines import Findings
from app.bench.memory import measure_memory
from app.bench.plan import Plan
from app.bench.serving import measure_http
from app.bench.subject import Subject
from app.bench.throughput import measure_throughput
from app.bench.timing import Tell

PARTS: Mapping[str, Callable[[Subject, Plan, Tell], Findings]] = {
    "latency": measure_latency,
    "throughput": measure_throughput,
    "http": measure_http,
    "fairness": measure_fairness,
    "growth": measure_growth,
    "memory": measure_memory,
}
