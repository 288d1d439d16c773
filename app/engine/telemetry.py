"""What the engine tells of its work, to one who counts or logs it; handed no listener, it tells nobody."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import structlog

from app.engine.jobs import WorkKind
from app.engine.model import DeviceModel
from app.errors import Cancelled, DeadlineExceeded, EngineFull, NotFinite

Outcome = Literal["done", "cut_short", "cancelled", "deadline", "not_finite", "failed", "out_of_memory", "refused"]
"""How a row or a request ended; "refused" was told to come again: no room, or the engine is closing.

Rows alone are "cut_short", ended by the deadline with what they had by then, or "out_of_memory".
"""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("aex")


@dataclass(frozen=True)
class RowsAsked:
    """Rows came in, for a forward pass each (look), for the loop (climb), or together for a call on the device."""

    model: DeviceModel
    kind: WorkKind
    rows: int


@dataclass(frozen=True)
class RowsEnded:
    """Rows that came in went out; each does so once."""

    model: DeviceModel
    kind: WorkKind
    rows: int
    outcome: Outcome


@dataclass(frozen=True)
class StepMade:
    """A step was made, or tried: of its rows, `failed` came to nothing."""

    model: DeviceModel
    kind: WorkKind
    rows: int
    failed: int
    seconds: float


@dataclass(frozen=True)
class PlaceLeft:
    """A request gave back its place, or was given none. Told on the request's own thread.

    Attributes:
        rows, steps: what it said it would ask for.
        queued_seconds: that its work waited for its first step, in all.
        error: name of the class of what it ended with, or None.
    """

    model: DeviceModel
    rows: int
    steps: int
    queued_seconds: float
    outcome: Outcome
    error: str | None


Event = RowsAsked | RowsEnded | StepMade | PlaceLeft

Listener = Callable[[Event], None]
"""Called on whatever thread did the work, which waits for it: it must be quick."""


def nobody(event: Event) -> None:
    """Listens to nothing."""
    del event


def harmless(listener: Listener) -> Listener:
    """The same listener, of whose errors the first is logged and none reaches the work."""
    failed = False

    def hear(event: Event) -> None:
        nonlocal failed
        try:
            listener(event)
        except Exception as error:  # noqa: BLE001 - no number is worth a request, let alone the device's thread
            if not failed:
                _log.error("telemetry failed", event_kind=type(event).__name__, error=type(error).__name__)
            failed = True

    return hear


def outcome_of(error: BaseException | None) -> Outcome:
    """The outcome of what ended with this error, or None; what it says nothing of is "failed"."""
    known: dict[type[BaseException], Outcome] = {
        Cancelled: "cancelled",
        DeadlineExceeded: "deadline",
        NotFinite: "not_finite",
        EngineFull: "refused",
    }
    if error is None:
        return "done"
    return next((outcome for kind, outcome in known.items() if isinstance(error, kind)), "failed")
