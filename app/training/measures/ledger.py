"""Results of finished batches, kept in a file, so that a run that was stopped goes on where it was."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from app.errors import DataError

_OPTIONS = "options"


class Ledger:
    """Tensors by name, written after every batch; without a file they are only remembered."""

    def __init__(self, file: Path | None, options: Mapping[str, object]) -> None:
        """Open a ledger, or begin one.

        Args:
            file: a safetensors file; its folder must exist.
            options: what the results depend on, as plain JSON; results of other options are refused.

        Raises:
            DataError: the file is no ledger, or its results are of other options; says which.
        """
        self._file = file
        self._options: dict[str, object] = json.loads(json.dumps(options))
        self._tensors: dict[str, Tensor] = {}
        if file is not None and file.exists():
            self._tensors = self._read(file)

    def once(self, name: str, work: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """What `work` gives, from the file where it was done before."""
        prefix = f"{name}/"
        kept = {key.removeprefix(prefix): value for key, value in self._tensors.items() if key.startswith(prefix)}
        if kept:
            return kept
        made = {key: value.detach().cpu().contiguous() for key, value in work().items()}
        self._tensors |= {prefix + key: value for key, value in made.items()}
        if self._file is not None:
            self._write(self._file)
        return made

    def _read(self, file: Path) -> dict[str, Tensor]:
        try:
            with safe_open(file, "pt") as stored:
                options = json.loads((stored.metadata() or {}).get(_OPTIONS, "null"))
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 (no mapping)
        except (OSError, SafetensorError, ValueError) as error:
            raise DataError(f"{file} holds no results of an evaluation; name another file, or remove it.") from error
        if options != self._options:
            known = options if isinstance(options, dict) else {}
            other = [name for name in self._options if known.get(name) != self._options[name]] or sorted(known)
            said = ", ".join(f"{name} {known.get(name)}, now {self._options.get(name)}" for name in other)
            raise DataError(f"{file} holds results of other options ({said}); name another file, or ask for the same.")
        return tensors

    def _write(self, file: Path) -> None:
        beside = file.with_name(f".{file.name}.new")
        try:
            apart = {name: tensor.clone() for name, tensor in self._tensors.items()}  # none is a part of another
            beside.write_bytes(save(apart, {_OPTIONS: json.dumps(self._options)}))
            os.replace(beside, file)  # noqa: PTH105 (atomic where the target exists, and named so)
        except OSError as error:
            beside.unlink(missing_ok=True)
            raise DataError(f"{file} cannot be written: {error.strerror}.") from error
