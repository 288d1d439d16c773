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

from app.errors import AexError, DamagedImage
from app.images.apart.messages import MessageCutShortError, receive, send
from app.images.apart.process import OUT_OF_MEMORY
from app.images.apart.raster import Raster
from app.images.pixels import Pixels
from app.images.selection import Selection

Read = Callable[[bytes, Selection, int], Raster]
"""Reads the bytes of a file; the last argument is how many pixels it may have."""

# Loaded when first asked for: a clinic sends no HEIC, an insurer no DICOM.
READERS: Mapping[str, str] = {
    "DICOM": "app.images.apart.dicom:read_dicom",
    "PDF": "app.images.apart.pdf:read_pdf",
    "HEIC": "app.images.apart.heic:read_heic",
}


def main() -> None:
    """Answer until there are no more questions."""
    answers = os.fdopen(os.dup(1), "wb")
    _silence()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core file would hold a patient's image
    while True:
        try:
            question, data = receive(sys.stdin.buffer)
        except MessageCutShortError:
            return
        reader = _reader(question["kind"])
        signal.setitimer(signal.ITIMER_REAL, question["seconds"])
        _bound_memory(question["bytes"])
        try:
            header, pixels = _answer(reader, question, data)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)  # what else may lack memory by now is not known
        send(answers, header, np.ascontiguousarray(pixels).data.cast("B"))
        signal.setitimer(signal.ITIMER_REAL, 0)


def _silence() -> None:
    """Libraries print what they find wrong with a file, and some to standard output."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)


def _reader(kind: str) -> Read:
    module, _, name = READERS[kind].partition(":")
    reader: Read = getattr(importlib.import_module(module), name)
    return reader


def _bound_memory(more_bytes: int) -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more_bytes, hard))


def _answer(reader: Read, question: Mapping[str, Any], data: bytes) -> tuple[Mapping[str, object], Pixels]:
    """Header and pixels. What a library says of a file may quote it, so only sentences of ours go out."""
    window = question["window"]
    wanted = Selection(question["page"], question["frame"], None if window is None else tuple(window))
    nothing = np.zeros(0, dtype=np.uint8)
    try:
        raster = reader(data, wanted, question["max_pixels"])
    except AexError as error:
        return {"error": type(error).__name__, "message": str(error)}, nothing
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - readers raise a dozen kinds on hostile bytes
        message = f"The {question['kind']} is truncated or damaged; it could not be read to its end."
        return {"error": DamagedImage.__name__, "message": message}, nothing
    header = {
        "shape": raster.pixels.shape,
        "dtype": raster.pixels.dtype.name,
        "selected": asdict(raster.selected),
        "notes": raster.notes,
    }
    return header, raster.pixels


if __name__ == "__main__":
    main()
