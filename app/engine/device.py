"""One thread owns the device and does one piece of work after the other; places to wait are bounded."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from app.engine.token import WorkToken
from app.errors import EngineFull

Result = TypeVar("Result")


class Engine:
    """Runs gradient work of many requests, in the order they came.

    A request first takes a place (`with engine.place():`), which bounds the images held in memory, and then has its
    work done (`engine.run`). Both may be called from any thread but the device's own.

    Args:
        places: requests that may be inside at once.
    """

    def __init__(self, places: int) -> None:
        if places < 1:
            raise ValueError(f"an engine of {places} places can do no work: give at least 1")
        self.places = places
        self._taken = 0
        self._seconds_per_request = 1.0
        self._closed = False
        self._lock = threading.Lock()
        self._device_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="device")

    @property
    def places_taken(self) -> int:
        return self._taken

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the block runs.

        Raises:
            EngineFull: all are taken; says when to come again, from the time requests were lately inside.
        """
        with self._lock:
            if self._taken >= self.places:
                wait = self._retry_after_seconds()
                raise EngineFull(f"All {self.places} places are taken; come again in about {wait} s.", wait)
            self._taken += 1
        began = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1
                self._seconds_per_request += 0.2 * (time.monotonic() - began - self._seconds_per_request)

    def run(self, work: Callable[[], Result], token: WorkToken) -> tuple[Result, float]:
        """Do the work on the device's thread and wait for it; returns its result and the seconds it was queued.

        Who is cancelled or late while queued leaves at once. Work that has begun is waited for: it asks its token.

        Raises:
            Cancelled, DeadlineExceeded: the token said so before the work began, or the work asked it and passed it on.
            EngineFull: the engine is closed, or was before the work began.
        """
        token.check()
        asked = time.monotonic()
        waiting = [work]  # emptied at the end, since the thread's queue keeps what it was handed until its turn comes

        def timed() -> tuple[Result, float]:
            token.check()
            began = time.monotonic()
            return waiting.pop()(), began - asked

        future = self._submit(timed)
        done = threading.Event()
        future.add_done_callback(lambda _: done.set())  # also called when the future is cancelled
        with token.calling_when_cancelled(future.cancel):
            done.wait(token.remaining_seconds())
            future.cancel()
        try:
            return future.result()
        except CancelledError:
            token.check()
            raise self._stopping() from None
        finally:
            waiting.clear()

    def close(self) -> None:
        """Finish the work in hand, drop what waits, and end the thread."""
        with self._lock:
            self._closed = True
        self._device_thread.shutdown(wait=True, cancel_futures=True)

    def _submit(self, work: Callable[[], Result]) -> "Future[Result]":
        with self._lock:
            if self._closed:
                raise self._stopping()
            return self._device_thread.submit(work)

    def _stopping(self) -> EngineFull:
        wait = self._retry_after_seconds()
        return EngineFull(f"The server is stopping and takes no more work; come again in about {wait} s.", wait)

    def _retry_after_seconds(self) -> int:
        return max(1, round(self._seconds_per_request))
