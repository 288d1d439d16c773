"""Where fine-tuning starts: a model folder, or a file of weights that others trained, with a new head where needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from app.errors import CheckpointError
from app.networks.authors import are_authors_tensors, from_authors
from app.networks.build import Architecture, TorchvisionConfig
from app.networks.checkpoint import load_checkpoint
from app.networks.fit_weights import require_fit
from app.networks.foreign import read_foreign

_COUNTER = "num_batches_tracked"  # of batch norm; old files lack it, and nobody reads it


@dataclass(frozen=True)
class Start:
    """Weights to start from.

    Attributes:
        path: where they were read.
        architecture: of the network they are of.
        tensors: its state dict, in float32.
    """

    path: Path
    architecture: Architecture
    tensors: Mapping[str, Tensor]


def read_start(path: Path, architecture: Architecture) -> Start:
    """Weights of a model folder, of a torchvision state dict, or of one of the paper authors' networks.

    Args:
        path: folder or file; nothing in it is executed.
        architecture: the recipe's, which a torchvision state dict must be of, since it does not say so itself.

    Raises:
        CheckpointError: it is none of these, or damaged; says what would be right.
    """
    if path.is_dir():
        checkpoint = load_checkpoint(path, "cpu")
        return Start(path, checkpoint.description.architecture, checkpoint.network.state_dict())
    tensors = read_foreign(path).tensors
    if are_authors_tensors(tensors):
        architecture, tensors = from_authors(tensors, path)
    elif isinstance(architecture, TorchvisionConfig):
        tensors = {f"network.{name}": values for name, values in tensors.items()}
    else:
        raise CheckpointError(
            f"{path} is not of the paper authors' layout; if it is a torchvision state dict, name its --arch."
        )
    floats = {name: values.float() if values.is_floating_point() else values for name, values in tensors.items()}
    return Start(path, architecture, floats)


def begin_from(network: nn.Module, start: Start) -> None:
    """Put the weights into a network of the same architecture; its head stays new where the classes are others.

    Raises:
        CheckpointError: anything but the head differs.
    """
    fresh: Mapping[str, Tensor] = network.state_dict()
    tensors = {name: torch.zeros_like(values) for name, values in fresh.items() if name.endswith(_COUNTER)}
    tensors |= start.tensors
    head = names_of_head(network)
    if any(tensors[name].shape != fresh[name].shape for name in head if name in tensors):
        tensors |= {name: fresh[name] for name in head}
    require_fit(network, tensors, start.path)
    network.load_state_dict(tensors)


def names_of_head(network: nn.Module) -> list[str]:
    """Names of the last layer's weights, the one that makes logits."""
    layers = [name for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return [name for name in network.state_dict() if name.rpartition(".")[0] == layers[-1]]
