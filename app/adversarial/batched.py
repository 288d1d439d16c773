"""Frozen dataclasses of tensors that all have one entry a row: picked, written, joined and moved together."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Self

import torch
from torch import Tensor


class Batched:
    """Base of a frozen dataclass whose fields are tensors (batch, ...), or are of this kind themselves."""

    def __len__(self) -> int:
        return len(next(iter(self._values().values())))

    def __getitem__(self, index: Tensor | slice) -> Self:
        """The rows at `index`, in its order."""
        return type(self)(**{name: value[index] for name, value in self._values().items()})

    def __setitem__(self, index: Tensor | slice, rows: Self) -> None:
        """Write over the rows at `index`, in its order."""
        for name, value in self._values().items():
            value[index] = getattr(rows, name)

    def to(self, device: torch.device) -> Self:
        """The same on that device."""
        return type(self)(**{name: value.to(device) for name, value in self._values().items()})

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The rows of all `parts`, at least one, in their order."""
        names = parts[0]._values()
        return cls(**{name: _join([part._values()[name] for part in parts]) for name in names})

    def _values(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]  # each subclass is a dataclass


def _join(parts: list[Any]) -> Any:  # noqa: ANN401 - tensors, or values of one such class
    return torch.cat(parts) if isinstance(parts[0], Tensor) else type(parts[0]).joined(parts)
