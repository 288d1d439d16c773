"""The only wiring: settings in, a running application out. `uvicorn app.main:create_app --factory`."""

import asyncio
import ctypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

import torch
from anyio import to_thread
from fastapi import FastAPI

from app.archive.client import Archive
from app.engine.device import Engine
from app.engine.flops import device_flops_per_second
from app.engine.telemetry import Event
from app.errors import AexError
from app.reports.reporter import Reporter
from app.service.catalogue import Catalogue, MakeStep
from app.service.explainer import Explainer
from app.service.kept import KeptResults
from app.service.several import Several
from app.settings import Settings
from app.web.application import build_app
from app.web.archiving import Archiving
from app.web.logs import configure_logs, log, log_fault, log_work
from app.web.metrics import Metrics
from app.web.parts import Parts
from app.web.work import SPARE_THREADS, Workers

FORGETTING_SECONDS = 5.0

_M_ARENA_MAX = -8  # of <malloc.h>
_HEAPS = 2


def create_app(settings: Settings | None = None) -> FastAPI:
    """An application of its own, with the models loaded; its lifespan opens and closes the engine.

    Args:
        settings: read from the environment where None.

    Raises:
        SettingsError, UnknownModel, CheckpointError: this installation cannot serve; says what would be right.
    """
    settings = Settings() if settings is None else settings
    configure_logs(settings.log_format)
    archive = settings.archive()
    torch.set_num_threads(settings.thread_count())  # bounds OpenMP and MKL, in every thread of the process
    bound_heaps()
    catalogue = Catalogue(settings.models_dir, settings.torch_device(), settings.default_model)
    for name, why in catalogue.broken().items():
        log.warning("model set aside", model=name, why=why)
    for name, why in catalogue.without_twin().items():
        log.warning("no second opinion", model=name, why=why)

    metrics = Metrics()

    def listen(event: Event) -> None:
        metrics.hear(event)
        log_work(event)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        engine = Engine(settings.engine_limits(), listen)
        kept = KeptResults(max_bytes=settings.max_result_bytes, seconds=settings.result_ttl_seconds)
        metrics.watch(engine, catalogue, kept)
        app.state.parts = parts = _put_together(settings, catalogue, engine, kept, metrics, archive)
        tasks = [
            asyncio.create_task(_warm_up(parts, settings.make_step(), settings.torch_device())),
            asyncio.create_task(_forget_expired(kept)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await to_thread.run_sync(engine.close)

    return build_app(
        version("adversarial-explanations"),
        lifespan,
        metrics,
        max_upload_bytes=settings.max_upload_bytes,
        max_upload_seconds=settings.max_upload_seconds,
        max_uploads=settings.places + SPARE_THREADS,
    )


def _put_together(
    settings: Settings,
    catalogue: Catalogue,
    engine: Engine,
    kept: KeptResults,
    metrics: Metrics,
    archive: Archive | None,
) -> Parts:
    limits = settings.decode_limits()
    explainer = Explainer(
        catalogue,
        engine,
        decode_limits=limits,
        max_rows=settings.max_rows,
        kept=kept,
        strip_phi=settings.strip_phi,
        max_open_pixels=settings.max_open_pixels,
        max_picture_bytes=settings.max_picture_bytes,
    )
    reporter = Reporter(decode_limits=limits, notice=settings.report_notice, strip_phi=settings.strip_phi)
    return Parts(
        explainer=explainer,
        several=Several(explainer, limits, settings.several_limits()),
        reporter=reporter,
        archiving=Archiving(archive, reporter, strip_phi=settings.strip_phi),
        catalogue=catalogue,
        workers=Workers(settings.places),
        metrics=metrics,
        default_timeout_ms=min(settings.default_timeout_ms, settings.max_timeout_ms),
        max_timeout_ms=settings.max_timeout_ms,
    )


async def _forget_expired(kept: KeptResults) -> None:
    """What nobody asks for goes in its time, too: uploads do not stay in memory longer than promised."""
    while True:
        await asyncio.sleep(FORGETTING_SECONDS)
        await to_thread.run_sync(kept.forget_expired)


async def _warm_up(parts: Parts, make_step: MakeStep, device: torch.device) -> None:
    """Serve from the start, and say ready once the default model is as quick as it gets; the others follow."""
    catalogue, readiness = parts.catalogue, parts.readiness
    try:
        await to_thread.run_sync(catalogue.quicken, catalogue.default, make_step)
        await to_thread.run_sync(parts.explainer.warm_up)
        parts.metrics.know_device(await to_thread.run_sync(device_flops_per_second, device))
        readiness.warm = True
        log.info("ready")
        for name in catalogue.names():
            if name != catalogue.default:
                await to_thread.run_sync(catalogue.quicken, name, make_step)
    except AexError as error:
        readiness.fault = str(error)
        log.error("warm-up failed", why=str(error))
    except Exception as error:  # noqa: BLE001 - a process that never gets ready must say why
        readiness.fault = "The default model could not be warmed up; the server's log says where."
        log_fault(error, "warm-up")


def bound_heaps() -> None:
    """Let all threads share two heaps: glibc would give each of them one, whose freed pictures no other thread reuses.

    With eight for each core the memory of a server grows for hours. Elsewhere than under glibc nothing is done.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)
