"""A request's right to go on: cancelled from outside, or over at its deadline."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.errors import Cancelled, DeadlineExceeded


class WorkToken:
    """Handed to the work, which asks `check()` between steps; `cancel()` may come from any thread."""

    def __init__(self, timeout_seconds: float | None = None) -> None:
        self._deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        self._timeout_seconds = timeout_seconds
        self._cancelled = False
        self._calls: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def cancel(self) -> None:
        with self._lock:
            self._cancelled = True
            calls = list(self._calls)
        for call in calls:
            call()

    @contextmanager
    def calling_when_cancelled(self, call: Callable[[], object]) -> Iterator[None]:
        """Inside the block, have `call` made, which must not block, as soon as the token is or was cancelled."""
        with self._lock:
            self._calls.append(call)
            cancelled = self._cancelled
        if cancelled:
            call()
        try:
            yield
        finally:
            with self._lock:
                self._calls.remove(call)

    def remaining_seconds(self) -> float | None:
        """Seconds left, at least 0, or None without a deadline."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())

    def check(self) -> None:
        """Return if the work may go on.

        Raises:
            Cancelled: whoever asked is gone.
            DeadlineExceeded: the time is over.
        """
        if self._cancelled:
            raise Cancelled("Whoever asked for this has gone away.")
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise DeadlineExceeded(
                f"The answer was not ready within {1000 * (self._timeout_seconds or 0):.0f} ms;"
                " ask for fewer targets or steps, or for a longer timeout_ms."
            )
