"""Whether tensors are exactly the ones a network needs, said in a sentence where they are not."""

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from app.errors import CheckpointError

_SHOWN_NAMES = 3


def require_fit(network: nn.Module, tensors: Mapping[str, Tensor], file: Path) -> None:
    """Raise `CheckpointError`, blaming `file`, unless names, shapes and types are the network's and numbers finite."""
    wanted: Mapping[str, Tensor] = network.state_dict()
    problems = []
    if missing := sorted(wanted.keys() - tensors.keys()):
        problems.append(f"lacks {listed(missing)}")
    if unknown := sorted(tensors.keys() - wanted.keys()):
        problems.append(f"has {listed(unknown)}, which the network does not")
    for name in sorted(wanted.keys() & tensors.keys()):
        found, right = tensors[name], wanted[name]
        if found.shape != right.shape:
            problems.append(f"has {name} of shape {tuple(found.shape)} where the network's is {tuple(right.shape)}")
        elif found.dtype != right.dtype:
            problems.append(f"has {name} of type {found.dtype} where the network's is {right.dtype}")
        elif not found.isfinite().all():
            problems.append(f"has numbers in {name} that are not finite")
    if problems:
        raise CheckpointError(
            f"{file} does not fit its network: it {'; it '.join(problems[:_SHOWN_NAMES])}."
            " The weights must be exactly the ones of the architecture that is named."
        )


def listed(names: list[str]) -> str:
    """The first names and how many more there are; they may come from an untrusted file."""
    shown = ", ".join(ascii(name[:60])[1:-1] for name in names[:_SHOWN_NAMES])
    more = len(names) - _SHOWN_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
