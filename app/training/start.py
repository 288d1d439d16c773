"""Where fine-tuning starts: a model folder, or a file of weights that others trained, with a new head where needed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from app.errors import CheckpointError
from app.networks.authors import are_authors_tensors, from_authors
from app.networks.build import Architecture, TorchvisionConfig
from app.networks.checkpoint import load_checkpoint
from app.networks.feature_maps import last_layer
from app.networks.fit_weights import require_fit
from app.networks.foreign import read_foreign
from app.networks.resnet import ResNetConfig

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


def deepened(start: Start, blocks: tuple[int, ...]) -> Start:
    """The same with more residual blocks in its groups, each new one at the end of its group.

    New blocks have no weights here, so `begin_from` leaves those that the network was built with, of which the last
    convolution is zero: the deeper network computes what the shallower one did, until it learns.

    Args:
        start: of one of our residual networks.
        blocks: of each group, none of them fewer than the start has.

    Raises:
        CheckpointError: it is no such network, or has more blocks.
    """
    before = start.architecture
    if not isinstance(before, ResNetConfig):
        raise CheckpointError(f"{start.path} has no groups of blocks that could be deepened: leave out --blocks.")
    if len(blocks) != len(before.blocks) or any(new < old for new, old in zip(blocks, before.blocks, strict=True)):
        had = ",".join(map(str, before.blocks))
        raise CheckpointError(f"{start.path} has {had} blocks in its groups: give as many groups, of no fewer blocks.")
    place_of = dict(enumerate(_places_kept(before.blocks, blocks)))
    tensors = {_moved(name, place_of): values for name, values in start.tensors.items()}
    return Start(start.path, replace(before, blocks=blocks), tensors)


def _moved(name: str, place_of: Mapping[int, int]) -> str:
    block, prefix = _block_of(name), "blocks."
    return f"{prefix}{place_of[int(block)]}{name[len(prefix + block) :]}" if block else name


def _places_kept(before: tuple[int, ...], after: tuple[int, ...]) -> Iterator[int]:
    """Where each block of a shallower network stands in the deeper one, whose blocks are numbered throughout."""
    first = 0
    for old, new in zip(before, after, strict=True):
        yield from range(first, first + old)
        first += new


def begin_from(network: nn.Module, start: Start) -> None:
    """Put the weights into a network of the same architecture; its head stays new where the classes are others.

    Blocks that the start has no weights for (see `deepened`) stay as they are, too.

    Raises:
        CheckpointError: anything else differs.
    """
    fresh: Mapping[str, Tensor] = network.state_dict()
    known = {_block_of(name) for name in start.tensors}
    tensors = {
        name: values if _block_of(name) not in known else torch.zeros_like(values)
        for name, values in fresh.items()
        if name.endswith(_COUNTER) or _block_of(name) not in known
    }
    tensors |= start.tensors
    head = names_of_head(network)
    if any(tensors[name].shape != fresh[name].shape for name in head if name in tensors):
        tensors |= {name: fresh[name] for name in head}
    require_fit(network, tensors, start.path)
    network.load_state_dict(tensors)


def _block_of(name: str) -> str:
    """The residual block that a tensor belongs to; the empty name for all other tensors, which every start has."""
    room, _, rest = name.partition(".")
    return rest.partition(".")[0] if room == "blocks" else ""


def names_of_head(network: nn.Module) -> list[str]:
    """Names of the last layer's weights, the one that makes logits."""
    layer = last_layer(network)
    return [name for name in network.state_dict() if name.rpartition(".")[0] == layer]
