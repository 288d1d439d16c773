"""How long the parts of a request took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from app.engine.device import Place


class Clock:
    """Milliseconds spent in each part of a request."""

    def __init__(self) -> None:
        self.timing_ms: dict[str, float] = {"queued": 0.0}

    @contextmanager
    def measure(self, part: str, place: Place | None = None) -> Iterator[None]:
        """Add the block's time to a part; what it waited for the device at this place is counted as queued instead."""
        began, queued_before = time.monotonic(), 0.0 if place is None else place.queued_seconds
        yield
        queued = 0.0 if place is None else place.queued_seconds - queued_before
        self.timing_ms["queued"] += 1000 * queued
        self.timing_ms[part] = self.timing_ms.get(part, 0.0) + 1000 * (time.monotonic() - began - queued)
