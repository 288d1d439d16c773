"""What a run writes down of itself: a line of JSON every so often, and the same numbers for TensorBoard."""

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from app.errors import NotWritten

TENSORBOARD_INSTALLED = find_spec("tensorboard") is not None
_NOT_DRAWN = ("step", "steps", "seconds")


class Journal:
    """`log.jsonl` and, where tensorboard is installed, `tensorboard/` in the folder of a run."""

    def __init__(self, run: Path, first_step: int) -> None:
        """Go on after `first_step`; at 0, anew."""
        self._file = run / "log.jsonl"
        kept = self._file.read_text() if first_step and self._file.exists() else ""
        whole = kept[: kept.rfind("\n") + 1]  # a kill may have left half a line
        if not self._file.exists() or whole != self._file.read_text():
            self._write(whole, "w")
        self._writer: Any = None
        if TENSORBOARD_INSTALLED:
            from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - half a second, for those who train

            self._writer = SummaryWriter(run / "tensorboard", purge_step=first_step)

    def write(self, numbers: Mapping[str, float]) -> None:
        """Add a line.

        Raises:
            NotWritten: the disk is full, or cannot be written.
        """
        self._write(json.dumps(dict(numbers)) + "\n", "a")
        if self._writer is None:
            return
        for name, value in numbers.items():
            if name not in _NOT_DRAWN:
                group = "held_out" if name.startswith("held_out") else "train"
                self._writer.add_scalar(f"{group}/{name.removeprefix('held_out_')}", value, int(numbers["step"]))

    def close(self) -> None:
        """Let TensorBoard's file be whole."""
        if self._writer is not None:
            self._writer.close()

    def _write(self, text: str, mode: str) -> None:
        try:
            with self._file.open(mode) as file:
                file.write(text)
        except OSError as error:
            raise NotWritten(
                f"{self._file} cannot be written: {error.strerror}. Make room, and go on with --resume."
            ) from error
