"""Asking a reader process: started when first needed, kept for the next file, killed when it takes too long."""

import atexit
import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import app
from app import errors
from app.errors import AexError, DamagedImage, DecodeTimeout, DecodeTooLarge
from app.images.apart.messages import MessageCutShortError, receive, send
from app.images.apart.object_facts import ObjectFacts
from app.images.apart.raster import Raster
from app.images.selection import Selected, Selection

WRITER, CHECKER = "DICOM object", "check of a DICOM object"
COUNTED = "parts of a "
"""Before the kind of a file whose pages or frames are to be counted."""
OUT_OF_MEMORY = 3  # exit status of a reader
BASE_BYTES = 256 * 2**20
BYTES_A_PIXEL = 24  # a frame as stored, as floats, and as it is sent, with one copy on the way
COPIES_WRITTEN = 6
ANSWERS = ("EmptyImage", "NotAnImage", "DamagedImage", "TooManyPixels", "NoSuchPart")

_PASSED_ON = ("LD_LIBRARY_PATH", "SYSTEMROOT")  # of the environment; a reader needs no keys and addresses of ours

WRITERS = 4  # at once; readers are bounded by who asks
_writing = threading.BoundedSemaphore(WRITERS)
_NO_VALUES = np.zeros(0, dtype=np.uint8)
_idle: queue.LifoQueue["_Reader"] = queue.LifoQueue()


def read_apart(kind: str, data: bytes, wanted: Selection, *, max_pixels: int, max_seconds: float) -> Raster:
    """The pixels of a file, read in a process apart.

    Args:
        kind: DICOM, ZIP, PDF or HEIC.
        data: the file.
        wanted: what of it.
        max_pixels: width * height at the most; it bounds the memory that reading may take, too.
        max_seconds: after which the process is gone.

    Raises:
        NotAnImage, DamagedImage, EmptyImage, TooManyPixels, NoSuchPart: the reader says why.
        DecodeTimeout, DecodeTooLarge: it costs more than is allowed.
    """
    question = {
        "kind": kind,
        "page": wanted.page,
        "frame": wanted.frame,
        "window": wanted.window,
        "max_pixels": max_pixels,
        "seconds": max_seconds,
        "bytes": BASE_BYTES + BYTES_A_PIXEL * max_pixels,
    }
    answer, payload = _ask(f"Reading the {kind}", question, data)
    selected = answer["selected"]
    window = selected["window"]
    return Raster(
        np.frombuffer(payload, dtype=np.dtype(answer["dtype"])).reshape(answer["shape"]),
        Selected(**{**selected, "window": None if window is None else tuple(window)}),
        answer["notes"],
    )


def count_apart(kind: str, data: bytes, *, max_pixels: int, max_seconds: float) -> int:
    """How many pages or frames a file has; arguments and errors as of `read_apart`."""
    allowed = {"seconds": max_seconds, "bytes": BASE_BYTES + BYTES_A_PIXEL * max_pixels}
    answer, _ = _ask(f"Reading the {kind}", {"kind": COUNTED + kind, **allowed}, data)
    return int(answer["count"])


def write_apart(upload: bytes, values: NDArray[Any], facts: ObjectFacts, *, max_seconds: float) -> bytes:
    """A DICOM object beside the DICOM file that its values were made from; as `write_object` takes them.

    Raises:
        DamagedImage, NoSuchPart: the upload lacks what the object is made of.
        DecodeTimeout, DecodeTooLarge: it costs more than is allowed.
    """
    question = _question(WRITER, upload, values, facts, max_seconds)
    with _writing:
        return bytes(_ask("Writing the DICOM", question, upload + values.tobytes())[1])


def check_writable(upload: bytes, facts: ObjectFacts, *, max_seconds: float) -> None:
    """Raise, before any work is done, what `write_apart` would."""
    _ask("Reading the DICOM", _question(CHECKER, upload, _NO_VALUES, facts, max_seconds), upload)


def _question(
    kind: str, upload: bytes, values: NDArray[Any], facts: ObjectFacts, max_seconds: float
) -> Mapping[str, object]:
    return {
        "kind": kind,
        "facts": asdict(facts),
        "upload_bytes": len(upload),
        "dtype": values.dtype.name,
        "shape": values.shape,
        "seconds": max_seconds,
        "bytes": BASE_BYTES + COPIES_WRITTEN * (len(upload) + values.nbytes),
    }


def _ask(doing: str, question: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytearray]:
    reader = _take()
    try:
        answer, payload = reader.ask(question, data)
    except (MessageCutShortError, BrokenPipeError):
        raise _given_up(doing, reader.exit_status(), question["seconds"]) from None
    _idle.put(reader)
    if "error" in answer:
        kind: type[AexError] = getattr(errors, answer["error"]) if answer["error"] in ANSWERS else DamagedImage
        raise kind(answer["message"])
    return answer, payload


def _take() -> "_Reader":
    with contextlib.suppress(queue.Empty):
        while True:
            reader = _idle.get_nowait()
            if reader.is_alive():
                return reader
    return _Reader()


def _given_up(doing: str, status: int, max_seconds: float) -> AexError:
    if status == -signal.SIGALRM:
        return DecodeTimeout(f"{doing} took longer than {max_seconds:g} s; send a smaller or simpler one.")
    if status in (OUT_OF_MEMORY, -signal.SIGABRT, -signal.SIGKILL):
        return DecodeTooLarge(f"{doing} takes more memory than is allowed; send a smaller or simpler one.")
    return DamagedImage(f"{doing} failed: it is damaged in a way that breaks readers; write it anew and send that.")


class _Reader:
    """One reader process, and the pipes to it."""

    def __init__(self) -> None:
        root = str(Path(app.__file__).parents[1])
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "app.images.apart"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    def ask(self, question: Mapping[str, Any], data: bytes) -> tuple[dict[str, Any], bytearray]:
        """Its answer, waited for."""
        if self._process.stdin is None or self._process.stdout is None:
            raise MessageCutShortError
        send(self._process.stdin, question, data)
        return receive(self._process.stdout, int(question["bytes"]))

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def exit_status(self) -> int:
        """Of a process that is ending; negative for the signal that ended it."""
        with contextlib.suppress(BrokenPipeError):
            self._process.communicate()
        return self._process.wait()

    def close(self) -> None:
        self._process.kill()
        self.exit_status()


@atexit.register
def _close_all() -> None:
    with contextlib.suppress(queue.Empty):
        while True:
            _idle.get_nowait().close()
