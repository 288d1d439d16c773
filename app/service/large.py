"""Large images are opened few at a time: one of a hundred megapixels takes more than half a gigabyte to read."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.engine.token import WorkToken
from app.images.decode import DecodeLimits, promised_pixels
from app.images.heap import give_back_freed_memory
from app.images.selection import Selection
from app.networks.description import InputDescription
from app.service.uploads import Upload, read_upload

SMALL_PIXELS = 1_000_000
"""Images up to here are opened at once: as many as there are places take little."""

_LOOK_SECONDS = 0.1


class Uploads:
    """Reads uploads. Its methods block, and may be called from many threads at once.

    Args:
        limits: what an upload may cost.
        max_open_pixels: of images above `SMALL_PIXELS` that are open at once; one that has more is opened alone.
    """

    def __init__(self, limits: DecodeLimits, *, max_open_pixels: int) -> None:
        self._limits = limits
        self._max_open_pixels = max_open_pixels
        self._open_pixels = 0
        self._line: deque[object] = deque()
        self._news = threading.Condition()

    @contextmanager
    def opened(self, data: bytes, wanted: InputDescription, selection: Selection, token: WorkToken) -> Iterator[Upload]:
        """An upload, read as `read_upload` does, for as long as the block runs; large ones wait in line.

        What a header does not promise (DICOM, PDF, HEIC) is read in a process apart, few at once, and waits then.

        Raises:
            ImageError: as `read_upload`.
            Cancelled, DeadlineExceeded: the token is over.
        """
        promised = promised_pixels(data, self._limits, selection)
        with ExitStack() as stack:
            if promised is not None:
                stack.enter_context(self._room(promised, token))
            upload = read_upload(data, self._limits, wanted, selection)
            if promised is None:
                stack.enter_context(self._room(upload.decoded.width * upload.decoded.height, token))
            yield upload

    @contextmanager
    def _room(self, pixels: int, token: WorkToken) -> Iterator[None]:
        if pixels <= SMALL_PIXELS:
            yield
            return
        self._enter(pixels, token)
        try:
            yield
        finally:
            give_back_freed_memory()
            with self._news:
                self._open_pixels -= pixels
                self._news.notify_all()

    def _enter(self, pixels: int, token: WorkToken) -> None:
        """Whoever came first goes first, so that the largest are not passed by for ever."""
        ticket = object()
        with self._news:
            self._line.append(ticket)
            try:
                while self._line[0] is not ticket or not self._fits(pixels):
                    token.check()
                    self._news.wait(_LOOK_SECONDS)
                self._open_pixels += pixels
            finally:
                self._line.remove(ticket)
                self._news.notify_all()

    def _fits(self, pixels: int) -> bool:
        return not self._open_pixels or self._open_pixels + pixels <= self._max_open_pixels
