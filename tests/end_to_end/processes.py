"""What a server takes, its readers included: sampled while it works."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SAMPLE_SECONDS = 0.01


@dataclass
class Taken:
    """Seconds, and the most bytes of resident memory beyond those at the start."""

    seconds: float = 0.0
    bytes: int = 0


@contextmanager
def measured(pid: int) -> Iterator[Taken]:
    """What a process and those that it started take within the block."""
    taken, ended, before, began = Taken(), threading.Event(), resident_bytes(pid), time.monotonic()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            taken.bytes = max(taken.bytes, resident_bytes(pid) - before)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield taken
    finally:
        taken.seconds = time.monotonic() - began
        ended.set()
        thread.join()


def resident_bytes(pid: int) -> int:
    """Of a process and those that it started; 0 of one that has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        children = [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text(encoding="ascii").split()
        ]
    except (OSError, IndexError):
        return 0
    return pages * 4096 + sum(map(resident_bytes, children))
