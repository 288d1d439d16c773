"""Log lines: what happened to a request, and nothing of what was in it."""

import logging
import sys
import traceback

import structlog

log: structlog.typing.FilteringBoundLogger = structlog.get_logger("aex")


def configure_logs(log_format: str) -> None:
    """Write to standard error, as one JSON object a line or, for people, as "console" does."""
    last = structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            last,
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    # uvicorn's own access log holds whole queries, and so class names and whatever else a client put there.
    logging.getLogger("uvicorn.access").disabled = True


def log_fault(error: BaseException, request_id: str) -> None:
    """Log where an unexpected error arose. Its text is left out: it may quote what was uploaded."""
    where = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    log.error("fault", request_id=request_id, error=type(error).__name__, where=where)
