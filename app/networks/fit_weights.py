"""A network filled with exactly the tensors it needs; where they are others, a sentence says which."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from app.errors import CheckpointError
from app.networks.build import build_network
from app.networks.description import ModelDescription
from app.networks.resnet import ResNet, ResNetConfig

_SHOWN_NAMES = 3


def build_with_weights(description: ModelDescription, tensors: Mapping[str, Tensor], file: Path) -> nn.Module:
    """The network of that description with these weights; `CheckpointError` blames `file` where they do not fit."""
    architecture = description.architecture
    if isinstance(architecture, ResNetConfig):
        # A description may ask for a network of any size: on the meta device it takes no memory to find out.
        with torch.device("meta"):
            require_fit(ResNet(architecture), tensors, file)
    network = build_network(architecture, len(description.classes))
    require_fit(network, tensors, file)
    network.load_state_dict(tensors)
    return network


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
