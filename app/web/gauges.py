"""Numbers that are looked up when somebody asks: how busy the engine is, how fast, by what, and how much is kept."""

from collections.abc import Iterator
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.engine.admission import Meter
from app.engine.device import Engine
from app.engine.load import Load
from app.service.catalogue import Catalogue
from app.service.kept import KeptLoad, KeptResults, Why


class Gauges(Collector):
    """What is true now, as far as it is known yet.

    Attributes:
        engine, catalogue, kept: that are asked.
        gradient_flops: measures the floating-point operations of each model's gradient steps, by its name.
        device_flops_per_second: what the device makes at the most.
    """

    def __init__(self) -> None:
        self.engine: Engine | None = None
        self.catalogue: Catalogue | None = None
        self.kept: KeptResults | None = None
        self.gradient_flops: dict[str, Meter] = {}
        self.device_flops_per_second: float | None = None

    def collect(self) -> Iterator[Metric]:
        """Each gauge that has a value."""
        if self.engine is not None:
            yield from _load(self.engine.load())
        if self.catalogue is not None:
            yield _back_ends(self.catalogue)
        if self.kept is not None:
            yield from _kept(self.kept.load())
        if self.device_flops_per_second is not None:
            yield from _shares(self.device_flops_per_second, self.gradient_flops)


def _load(load: Load) -> Iterator[GaugeMetricFamily]:
    yield GaugeMetricFamily("aex_engine_places", "Requests that may be inside the engine at once", load.places)
    yield GaugeMetricFamily("aex_engine_taken_places", "Requests inside the engine", load.taken_places)
    yield GaugeMetricFamily(
        "aex_engine_queued_jobs",
        "Depth of the queue: forward passes and loops asked for, of which no step has had a row yet",
        load.queued_jobs,
    )
    yield GaugeMetricFamily("aex_engine_waiting_rows", "Rows that no step has had yet", load.waiting_rows)
    yield GaugeMetricFamily(
        "aex_engine_running_rows", "Rows in flight: between their first step and their last", load.running_rows
    )


def _back_ends(catalogue: Catalogue) -> GaugeMetricFamily:
    info = GaugeMetricFamily(
        "aex_model_step_info",
        "1 for each model and the back end that computes its steps: eager, openvino or cuda",
        labels=("model", "backend"),
    )
    for name in catalogue.names():
        info.add_metric((name, catalogue.served(name).model.step.name), 1)
    return info


def _kept(load: KeptLoad) -> Iterator[Metric]:
    yield GaugeMetricFamily("aex_kept_results", "Explanations that can be had again by their ids", load.results)
    yield GaugeMetricFamily("aex_kept_bytes", "Memory that these take, pictures and uploads with them", load.bytes)
    yield GaugeMetricFamily("aex_kept_max_bytes", "Memory that they may take at the most", load.max_bytes)
    gone = CounterMetricFamily(
        "aex_gone_results", "Kept explanations that are no more: expired, deleted, or made room", labels=("why",)
    )
    for why in get_args(Why):
        gone.add_metric((why,), load.gone.get(why, 0))
    yield gone


def _shares(device_flops_per_second: float, gradient_flops: dict[str, Meter]) -> Iterator[GaugeMetricFamily]:
    yield GaugeMetricFamily(
        "aex_device_flops_per_second",
        "Floating-point operations a second of a large matrix product, measured once at the start",
        device_flops_per_second,
    )
    share = GaugeMetricFamily(
        "aex_gradient_flops_ratio",
        "Share of the machine's limit: operations a second of recent gradient steps over those of a matrix product",
        labels=("model",),
    )
    for model, meter in list(gradient_flops.items()):
        if seconds := meter.seconds_of(device_flops_per_second):
            share.add_metric((model,), 1 / seconds)
    yield share
