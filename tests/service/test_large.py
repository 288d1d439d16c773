"""Large images wait for one another; small ones and those who give up do not."""

import io
import threading
from collections.abc import Callable

import pytest
from PIL import Image

from app.engine.token import WorkToken
from app.errors import Cancelled, DeadlineExceeded, NotAnImage
from app.images.decode import DecodeLimits, promised_pixels
from app.images.selection import MAIN
from app.networks.description import InputDescription
from app.service.large import SMALL_PIXELS, Uploads
from tests.web.serving import wait_until

LIMITS = DecodeLimits(max_bytes=1 << 24, max_pixels=1 << 24, max_seconds=20)
WANTED = InputDescription(8, 8, 3, "stretch")


def file(width: int, height: int, name: str = "PNG") -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 60)).save(written, name)
    return written.getvalue()


LARGE, SMALL = file(1500, 1000), file(100, 100)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF"])
def test_a_header_promises_its_pixels(name: str) -> None:
    assert promised_pixels(file(30, 20, name), LIMITS) == 600


@pytest.mark.parametrize("data", [b"", b"no image", LARGE[:20], LARGE[:40]])
def test_of_what_will_be_refused_nothing_is_promised(data: bytes) -> None:
    assert promised_pixels(data, LIMITS) == 0


def test_what_a_process_apart_reads_promises_nothing() -> None:
    assert promised_pixels(b"%PDF-1.4", LIMITS) is None


def open_beside(uploads: Uploads, data: bytes, token: WorkToken) -> tuple[Callable[[], bool], threading.Thread]:
    """Whether it was opened, by a thread of its own."""
    opened = threading.Event()

    def work() -> None:
        with uploads.opened(data, WANTED, MAIN, token):
            opened.set()

    thread = threading.Thread(target=work)
    thread.start()
    return opened.is_set, thread


def test_a_large_image_waits_for_another_and_a_small_one_does_not() -> None:
    assert SMALL_PIXELS < 1500 * 1000
    uploads = Uploads(LIMITS, max_open_pixels=2_000_000)
    with uploads.opened(LARGE, WANTED, MAIN, WorkToken()) as upload:
        assert upload.decoded.width == 1500
        waits, thread = open_beside(uploads, LARGE, WorkToken())
        passes, other = open_beside(uploads, SMALL, WorkToken())
        wait_until(passes)
        other.join()
        assert not waits()
    wait_until(waits)
    thread.join()


def test_two_are_open_at_once_where_there_is_room() -> None:
    uploads = Uploads(LIMITS, max_open_pixels=3_000_000)
    with uploads.opened(LARGE, WANTED, MAIN, WorkToken()):
        passes, thread = open_beside(uploads, LARGE, WorkToken())
        wait_until(passes)
        thread.join()


def test_one_larger_than_all_room_is_opened_alone() -> None:
    with Uploads(LIMITS, max_open_pixels=1).opened(LARGE, WANTED, MAIN, WorkToken()):
        pass


def test_who_gives_up_waiting_leaves_the_line() -> None:
    uploads, cancelled = Uploads(LIMITS, max_open_pixels=1), WorkToken()
    cancelled.cancel()
    with uploads.opened(LARGE, WANTED, MAIN, WorkToken()):
        for token, error in ((WorkToken(0.05), DeadlineExceeded), (cancelled, Cancelled)):
            with pytest.raises(error), uploads.opened(LARGE, WANTED, MAIN, token):
                pass
    with uploads.opened(LARGE, WANTED, MAIN, WorkToken()):
        pass


def test_what_cannot_be_read_leaves_its_room_free() -> None:
    uploads = Uploads(LIMITS, max_open_pixels=1)
    with pytest.raises(NotAnImage), uploads.opened(b"no image", WANTED, MAIN, WorkToken()):
        pass
    with uploads.opened(LARGE, WANTED, MAIN, WorkToken()):
        pass
