"""The paper authors' own networks: their names for the tensors, carried over to our ResNet's.

Source: the public code of Woods, Chen, Teuscher 2019, MIT. `pipe.0` is the stem, `pipe.1` to `pipe.G` the groups of
blocks, then batch norm, activation, average pool, and a 1x1 convolution as classifier. Half-Huber layers keep delta in
`d`.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from app.errors import CheckpointError
from app.networks.activations import HALF_HUBER_DELTA
from app.networks.resnet import ResNetConfig

CIFAR10_CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
AUTHORS_IMAGE_SIDE = 32
AUTHORS_SOURCE = (
    "The file has the layout of the networks that the authors of the paper published with their code (Woods, Chen,"
    " Teuscher, Adversarial Explanations for Understanding Image Classification Decisions and Improved Neural Network"
    " Robustness, Nature Machine Intelligence 2019). Theirs are under the MIT licence, Copyright (c) 2019 Walt Woods."
)

_INPUT_OFFSET = "input_offset"
_BLOCK = re.compile(r"pipe\.([1-9])\.(0|[1-9]\d{0,2})\.(.+)")
_BLOCK_PARTS = {
    "pre.0": "norm1",
    "main.0": "conv1",
    "main.1": "norm2",
    "main.3": "conv2",
    "shortcut": "shortcut",
}
_DELTA = ".d"


def are_authors_tensors(tensors: Mapping[str, Tensor]) -> bool:
    """Whether the names are those of the authors' code."""
    return _INPUT_OFFSET in tensors and "pipe.0.weight" in tensors


def from_authors(tensors: Mapping[str, Tensor], file: Path) -> tuple[ResNetConfig, dict[str, Tensor]]:
    """Our network's config and state dict, every number of it read from the tensors.

    Raises:
        CheckpointError: they are not laid out as the authors' code does; blames `file`.
    """
    blocks = _block_counts(tensors, file)
    last = len(blocks) + 1
    state = {}
    for name, tensor in tensors.items():
        if name == _INPUT_OFFSET or name.endswith(_DELTA):
            continue
        state[_our_name(name, blocks, last, file)] = tensor
    stem = _of_rank(tensors, "pipe.0.weight", 4, file)
    classifier = _of_rank(tensors, f"pipe.{last + 3}.weight", 4, file)
    state["classifier.weight"] = classifier.flatten(1)
    mean, std = _normalization(tensors, channels=stem.shape[1], file=file)
    config = ResNetConfig(
        classes=classifier.shape[0],
        channels=stem.shape[1],
        widths=tuple(_of_rank(tensors, f"pipe.{group}.0.main.0.weight", 4, file).shape[0] for group in range(1, last)),
        blocks=blocks,
        activation=_activation(tensors, layers=2 * sum(blocks) + 1, file=file),
        stem_kernel=stem.shape[2],
        mean=mean,
        std=std,
    )
    return config, state


def _block_counts(tensors: Mapping[str, Tensor], file: Path) -> tuple[int, ...]:
    found = {(int(match[1]), int(match[2])) for name in tensors if (match := _BLOCK.fullmatch(name))}
    groups = max((group for group, _ in found), default=0)
    counts = tuple(sum(group == of for of, _ in found) for group in range(1, groups + 1))
    if not counts or found != {(group, block) for group in range(1, groups + 1) for block in range(counts[group - 1])}:
        raise CheckpointError(
            f"{file} begins like one of the authors' networks,"
            " but its blocks are not numbered from pipe.1.0 up without gaps."
        )
    return counts


def _our_name(name: str, blocks: tuple[int, ...], last: int, file: Path) -> str:
    if name == "pipe.0.weight":
        return "stem.weight"
    if match := _BLOCK.fullmatch(name):
        part, _, kind = match[3].rpartition(".")
        if part in _BLOCK_PARTS:
            return f"blocks.{sum(blocks[: int(match[1]) - 1]) + int(match[2])}.{_BLOCK_PARTS[part]}.{kind}"
    if name.startswith(f"pipe.{last}."):
        return f"norm.{name.removeprefix(f'pipe.{last}.')}"
    if name.startswith(f"pipe.{last + 3}."):
        return f"classifier.{name.removeprefix(f'pipe.{last + 3}.')}"
    raise CheckpointError(f"{file} has a tensor {name[:60]!a}, which the authors' networks do not have.")


def _of_rank(tensors: Mapping[str, Tensor], name: str, rank: int, file: Path) -> Tensor:
    if name not in tensors or tensors[name].dim() != rank:
        raise CheckpointError(f"{file} must have a tensor {name} of {rank} dimensions, as the authors' networks do.")
    return tensors[name]


def _normalization(
    tensors: Mapping[str, Tensor], channels: int, file: Path
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    offset = tensors[_INPUT_OFFSET]
    if offset.shape != (2, channels) or not offset.isfinite().all() or not (offset[1] > 0).all():
        raise CheckpointError(f"{file}: {_INPUT_OFFSET} must be mean and positive deviation of {channels} channels.")
    # numpy prints the shortest decimal that is the same float32: 0.247, not 0.24699999392032623.
    mean, std = (tuple(float(str(number)) for number in row) for row in offset.float().numpy())
    return mean, std


def _activation(tensors: Mapping[str, Tensor], layers: int, file: Path) -> str:
    deltas = [tensor for name, tensor in tensors.items() if name.endswith(_DELTA)]
    if not deltas:
        return "relu"
    expected = torch.tensor(HALF_HUBER_DELTA)
    if len(deltas) != layers or not all(delta.numel() == 1 and delta.item() == expected for delta in deltas):
        raise CheckpointError(
            f"{file} must have half-Huber layers (a tensor d of {HALF_HUBER_DELTA}) everywhere or nowhere:"
            f" {layers} or none, not {len(deltas)}."
        )
    return "half_huber"
