"""A request's right to go on: cancelled from outside, or over at its deadline."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from app.errors import Cancelled, DeadlineExceeded


@dataclass
class _Cancellation:
    """Whether and why work is wanted no more, and what is called then; tokens of one request share it."""

    why: str | None = None
    calls: list[Callable[[], object]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class WorkToken:
    """Handed to the work, which asks `check()` between steps; `cancel()` may come from any thread."""

    def __init__(self, timeout_seconds: float | None = None) -> None:
        self._deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._timeout_seconds = timeout_seconds
        self._cancellation = _Cancellation()

    def without_deadline(self) -> "WorkToken":
        """The same right without an end: whoever cancels the one cancels the other."""
        token = WorkToken()
        token._cancellation = self._cancellation
        return token

    def cancel(self, why: str = "Whoever asked for this has gone away.") -> None:
        """Let the work end; a sentence says why. Of several the first is kept."""
        with self._cancellation.lock:
            self._cancellation.why = self._cancellation.why or why
            calls = list(self._cancellation.calls)
        for call in calls:
            call()

    @contextmanager
    def calling_when_cancelled(self, call: Callable[[], object]) -> Iterator[None]:
        """Inside the block, have `call` made, which must not block, as soon as the token is or was cancelled."""
        cancellation = self._cancellation
        with cancellation.lock:
            cancellation.calls.append(call)
            cancelled = cancellation.why is not None
        if cancelled:
            call()
        try:
            yield
        finally:
            with cancellation.lock:
                cancellation.calls.remove(call)

    def remaining_seconds(self) -> float | None:
        """Seconds left, at least 0, or None without a deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def require_wanted(self) -> None:
        """Return unless the token was cancelled.

        Raises:
            Cancelled: it was; says why.
        """
        if self._cancellation.why is not None:
            raise Cancelled(self._cancellation.why)

    def check(self) -> None:
        """Return if the work may go on.

        Raises:
            Cancelled: whoever asked is gone, or does not want it any more.
            DeadlineExceeded: the time is over.
        """
        self.require_wanted()
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise DeadlineExceeded(
                f"The answer was not ready within {1000 * (self._timeout_seconds or 0):.0f} ms;"
                " ask for fewer targets or steps, or for a longer timeout_ms."
            )
