"""Log lines: what happened to a request, and nothing of what was in it."""

import logging
import sys
import traceback

import structlog

from app.engine.telemetry import Event, PlaceLeft

log: structlog.typing.FilteringBoundLogger = structlog.get_logger("aex")


def configure_logs(log_format: str) -> None:
    """Write to standard error, as one JSON object a line or, for people, as "console" does."""
    last = structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            last,
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    # uvicorn's own access log holds whole queries, and so class names and whatever else a client put there.
    logging.getLogger("uvicorn.access").disabled = True
    for name in ("httpx", "httpcore"):  # these hold whole addresses, and so the UIDs of a patient's study
        logging.getLogger(name).disabled = True


def log_work(event: Event) -> None:
    """Log what a request had of the engine; told on the request's own thread, the line carries its id."""
    if isinstance(event, PlaceLeft):
        log.info(
            "work",
            model=event.model.name,
            rows=event.rows,
            steps=event.steps,
            queued_ms=round(1000 * event.queued_seconds, 1),
            outcome=event.outcome,
            **({} if event.error is None else {"error": event.error}),
        )


def log_fault(error: BaseException, request_id: str) -> None:
    """Log where an unexpected error arose. Its text is left out: it may quote what was uploaded."""
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("fault", request_id=request_id, error=type(error).__name__, where=where)
