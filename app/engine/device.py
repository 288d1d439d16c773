"""One thread owns the device and does one piece of work after the other; places to wait are bounded."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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
        self._lock = threading.Lock()
        self._device_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="device")

    @property
    def places_taken(self) -> int:
        return self._taken

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the block runs.

        Raises:
            EngineFull: all are taken; says when to come again, from the time requests lately took.
        """
        with self._lock:
            if self._taken >= self.places:
                wait = max(1, round(self._seconds_per_request * self._taken))
                raise EngineFull(
                    f"All {self.places} places are taken; come again in about {wait} s.", retry_after_seconds=wait
                )
            self._taken += 1
        try:
            yield
        finally:
            with self._lock:
                self._taken -= 1

    def run(self, work: Callable[[], Result], token: WorkToken) -> tuple[Result, float]:
        """Do the work on the device's thread and wait for it; returns its result and the seconds it was queued.

        Raises:
            Cancelled, DeadlineExceeded: the token said so before the work began, or the work asked it and passed it on.
        """
        asked = time.monotonic()

        def timed() -> tuple[Result, float]:
            token.check()
            began = time.monotonic()
            result = work()
            self._remember(time.monotonic() - began)
            return result, began - asked

        return self._device_thread.submit(timed).result()

    def close(self) -> None:
        """Finish the work in hand, drop what waits, and end the thread."""
        self._device_thread.shutdown(wait=True, cancel_futures=True)

    def _remember(self, seconds: float) -> None:
        self._seconds_per_request += 0.2 * (seconds - self._seconds_per_request)
