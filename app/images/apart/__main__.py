"""A reader process: `python -m app.images.apart`. Questions on standard input, answers on standard output.

It ends with its input. Time is bounded by an alarm that nothing here handles, so that the kernel ends the process,
whatever code it is in. A bound on memory beyond what the process has at rest makes allocations fail.
"""

import importlib
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import AexError, DamagedImage
from app.images.apart.messages import MessageCutShortError, receive, send
from app.images.apart.object_facts import ObjectFacts
from app.images.apart.process import CHECKER, COUNTED, OUT_OF_MEMORY, WRITER
from app.images.apart.raster import Raster
from app.images.selection import Selection

Answer = tuple[Mapping[str, object], bytes | memoryview]
"""Header and payload."""

# Loaded when first asked for: a clinic sends no HEIC, an insurer no DICOM.
WORK: Mapping[str, str] = {
    "DICOM": "app.images.apart.dicom:read_dicom",
    "ZIP": "app.images.apart.series:read_series",
    "PDF": "app.images.apart.pdf:read_pdf",
    "HEIC": "app.images.apart.heic:read_heic",
    f"{COUNTED}DICOM": "app.images.apart.dicom:count_frames",
    f"{COUNTED}ZIP": "app.images.apart.series:count_slices",
    f"{COUNTED}PDF": "app.images.apart.pdf:count_pages",
    f"{COUNTED}HEIC": "app.images.apart.heic:count_pictures",
    WRITER: "app.images.apart.dicom_objects:write_object",
    CHECKER: "app.images.apart.dicom_objects:check_object",
}


def main() -> None:
    """Answer until there are no more questions."""
    answers = os.fdopen(os.dup(1), "wb")
    _silence()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold a patient's image
    while True:
        try:
            question, received = receive(sys.stdin.buffer)
        except MessageCutShortError:
            return
        data = bytes(received)  # of which BytesIO makes no further copy
        del received
        work = _loaded(question["kind"])
        signal.setitimer(signal.ITIMER_REAL, question["seconds"])
        _bound_memory(question["bytes"])
        try:
            header, payload = _answer(work, question, data)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)  # what else may lack memory by now is not known
        send(answers, header, payload)
        signal.setitimer(signal.ITIMER_REAL, 0)
        del data, payload  # until the next question, which may never come


def _silence() -> None:
    """Libraries print what they find wrong with a file, and some to standard output."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


def _loaded(kind: str) -> Callable[..., Any]:
    module, _, name = WORK[kind].partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return function


def _bound_memory(more_bytes: int) -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more_bytes, hard))


def _answer(work: Callable[..., Any], question: Mapping[str, Any], data: bytes) -> Answer:
    """What a library says of a file may quote it, so only sentences of ours go out."""
    try:
        if question["kind"].startswith(COUNTED):
            return {"count": work(data)}, b""
        return (_write if question["kind"] in (WRITER, CHECKER) else _read)(work, question, data)
    except AexError as error:
        return {"error": type(error).__name__, "message": str(error)}, b""
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - readers raise a dozen kinds on hostile bytes
        return {"error": DamagedImage.__name__, "message": "The file is truncated or damaged."}, b""


def _read(reader: Callable[[bytes, Selection, int], Raster], question: Mapping[str, Any], data: bytes) -> Answer:
    window = question["window"]
    wanted = Selection(question["page"], question["frame"], None if window is None else tuple(window))
    raster = reader(data, wanted, question["max_pixels"])
    header = {
        "shape": raster.pixels.shape,
        "dtype": raster.pixels.dtype.name,
        "selected": asdict(raster.selected),
        "notes": raster.notes,
    }
    return header, np.ascontiguousarray(raster.pixels).data.cast("B")


def _write(
    writer: Callable[[bytes, NDArray[Any], ObjectFacts], bytes], question: Mapping[str, Any], data: bytes
) -> Answer:
    """The upload comes first, and the values after it."""
    upload, values = data[: question["upload_bytes"]], data[question["upload_bytes"] :]
    array = np.frombuffer(values, dtype=np.dtype(question["dtype"])).reshape(question["shape"])
    return {}, writer(upload, array, ObjectFacts(**question["facts"]))


if __name__ == "__main__":
    main()
