"""The parts of the benchmark, by name and in the order to be run."""

from collections.abc import Callable, Mapping

from app.bench.latency import measure_latency
from app.bench.lines import Findings
from app.bench.plan import Plan
from app.bench.subject import Subject
from app.bench.throughput import measure_throughput
from app.bench.timing import Tell

PARTS: Mapping[str, Callable[[Subject, Plan, Tell], Findings]] = {
    "latency": measure_latency,
    "throughput": measure_throughput,
}
