"""Numbers for operators: what happened since the start is counted here; `app.web.gauges` adds what is now.

Every name ends in its unit. Labels hold nothing that a client may choose: routes as declared, models that are served.
"""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest

from app.engine.admission import Meter
from app.engine.device import Engine
from app.engine.telemetry import Event, PlaceLeft, RowsAsked, RowsEnded, StepMade
from app.service.catalogue import Catalogue
from app.service.kept import KeptResults
from app.web.gauges import Gauges

METRICS_TYPE = prometheus_client.CONTENT_TYPE_LATEST

_REQUEST_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 600.0)
_STEP_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STEP_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # a second line beside each number, of when it began


class Metrics:
    """The numbers of one application, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._gauges = Gauges()
        self._registry.register(self._gauges)
        ProcessCollector(registry=self._registry)
        self._requests = self._counter("aex_http_requests", "HTTP requests that ended", "route", "status")
        self._request_seconds = self._histogram(
            "aex_http_request_duration_seconds",
            "Time from a request to the end of its answer",
            _REQUEST_SECONDS,
            "route",
        )
        self._engine_requests = self._counter(
            "aex_engine_requests",
            "Requests that came to the engine, by how they left; refused ones were told to come again (503)",
            "model",
            "outcome",
        )
        self._asked_rows = self._counter(
            "aex_asked_rows",
            "Rows asked for: images to look at once, targets to climb to, and rows of calls for other methods",
            "model",
            "kind",
        )
        self._ended_rows = self._counter(
            "aex_ended_rows", "Rows asked for that ended, by how", "model", "kind", "outcome"
        )
        self._step_rows = self._histogram("aex_step_rows", "Rows that shared a step", _STEP_ROWS, "model", "kind")
        self._step_seconds = self._histogram(
            "aex_step_duration_seconds", "Time of a step, all its rows together", _STEP_SECONDS, "model", "kind"
        )
        self._gradients = self._counter(
            "aex_gradient_evaluations",
            "Gradients computed, one a row and step; its rate is their number a second",
            "model",
        )
        self._forwards = self._counter("aex_forward_passes", "Forward passes without a gradient, one a row", "model")

    def text(self) -> bytes:
        """Everything, as `METRICS_TYPE`."""
        return generate_latest(self._registry)

    def watch(self, engine: Engine, catalogue: Catalogue, kept: KeptResults) -> None:
        """Say from now on how busy this engine is, how these models are computed, and how much is kept."""
        self._gauges.engine, self._gauges.catalogue, self._gauges.kept = engine, catalogue, kept

    def know_device(self, flops_per_second: float | None) -> None:
        """Learn what the device makes at the most, None where that could not be measured."""
        self._gauges.device_flops_per_second = flops_per_second

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """An HTTP request ended; status 0 where no answer began."""
        self._requests.labels(route, str(status) if status else "none").inc()
        self._request_seconds.labels(route).observe(seconds)

    def hear(self, event: Event) -> None:
        """Count what the engine tells; from any thread."""
        model = event.model.name
        match event:
            case RowsAsked(kind=kind, rows=rows):
                self._asked_rows.labels(model, kind).inc(rows)
            case RowsEnded(kind=kind, rows=rows, outcome=outcome):
                self._ended_rows.labels(model, kind, outcome).inc(rows)
            case PlaceLeft(outcome=outcome):
                self._engine_requests.labels(model, outcome).inc()
            case StepMade():
                self._hear_step(event)

    def _hear_step(self, step: StepMade) -> None:
        model, made = step.model.name, step.rows - step.failed
        self._step_rows.labels(model, step.kind).observe(step.rows)
        self._step_seconds.labels(model, step.kind).observe(step.seconds)
        if step.kind != "call":  # what a call computes, it alone knows
            (self._gradients if step.kind == "climb" else self._forwards).labels(model).inc(made)
        flops = step.model.gradient_flops
        if step.kind == "climb" and made and flops is not None:
            self._gauges.gradient_flops.setdefault(model, Meter()).measured(flops * made, step.seconds)

    def _counter(self, name: str, meaning: str, *labels: str) -> Counter:
        return Counter(name, meaning, labels, registry=self._registry)

    def _histogram(self, name: str, meaning: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, meaning, labels, buckets=buckets, registry=self._registry)
