"""Others' weights made into one of our networks: the paper authors', or a torchvision classifier's."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from app.errors import CheckpointError
from app.networks.authors import AUTHORS_IMAGE_SIDE, AUTHORS_SOURCE, CIFAR10_CLASSES, are_authors_tensors, from_authors
from app.networks.build import IMAGENET_MEAN, IMAGENET_STD, TorchvisionConfig
from app.networks.checkpoint import try_once
from app.networks.description import ExplanationDefaults, Fit, InputDescription, ModelDescription, require_valid
from app.networks.fit_weights import build_with_weights, listed
from app.networks.foreign import ACCEPTED, ForeignWeights, read_foreign
from app.networks.resnet import freeze

PAPER_RHO = 0.1
TORCHVISION_IMAGE_SIDE = 224


@dataclass(frozen=True)
class ImportOptions:
    """What the file itself does not say.

    Attributes:
        arch: name of a torchvision classifier; None for one of the authors' networks.
        classes: names by class id; None for CIFAR-10's, where the network is one of the authors' with ten classes.
        input_size: height and width in pixels; None for what the file says, else 32 (authors) or 224 (torchvision).
        channels: of the images that a torchvision classifier will be shown, 3 or 1; a grey one is repeated.
        fit: how images of another shape are fitted; None for stretch (authors) or center_crop (torchvision).
        mean, std: input normalization of a torchvision classifier; ImageNet's unless given.
        rho: default RMS of an explanation. The colour bar ends at twice that.
    """

    arch: str | None = None
    classes: tuple[str, ...] | None = None
    input_size: int | None = None
    channels: int = 3
    fit: Fit | None = None
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    rho: float = PAPER_RHO


@dataclass(frozen=True)
class ImportedNetwork:
    """A frozen network in evaluation mode, and what is known of it."""

    network: nn.Module
    description: ModelDescription


def import_network(file: Path, options: ImportOptions) -> ImportedNetwork:
    """Read the weights in `file`, without executing anything in it.

    Raises:
        CheckpointError: the file or an option is at fault; says what was found and what would be right.
    """
    weights = read_foreign(file)
    if are_authors_tensors(weights.tensors):
        if options.arch is not None:
            raise CheckpointError(f"{file} is one of the paper authors' networks, no {options.arch}; leave out --arch.")
        state, description = _authors(weights, options, file)
    else:
        state, description = _torchvision(weights, options, file)
    description = replace(description, source=f"{description.source} {_provenance(weights, file)}")
    require_valid(description, file)
    network = freeze(build_with_weights(description, _as_network_keeps(state), file))
    try_once(network, description, torch.device("cpu"), file)
    return ImportedNetwork(network, description)


def _authors(weights: ForeignWeights, options: ImportOptions, file: Path) -> tuple[dict[str, Tensor], ModelDescription]:
    config, state = from_authors(weights.tensors, file)
    classes = options.classes
    if classes is None and config.classes == len(CIFAR10_CLASSES):
        classes = CIFAR10_CLASSES
    if classes is None:
        raise CheckpointError(f"{file} is a network of {config.classes} classes; name them by --classes FILE.")
    training = weights.facts.get("training_options")
    side = options.input_size or _side(weights.facts)
    return state, ModelDescription(
        architecture=config,
        classes=classes,
        input=InputDescription(side, side, config.channels, options.fit or "stretch"),
        explanation=_explanation(options),
        training=training if isinstance(training, dict) else None,
        scores={},
        source=AUTHORS_SOURCE,
    )


def _side(facts: Mapping[str, object]) -> int:
    """The authors keep the image's side as first item of `arch`: in the training options, or beside them."""
    for holder in (facts, facts.get("training_options")):
        arch = holder.get("arch") if isinstance(holder, Mapping) else None
        if isinstance(arch, list) and arch and isinstance(arch[0], int):
            return arch[0]
    return AUTHORS_IMAGE_SIDE


def _torchvision(
    weights: ForeignWeights, options: ImportOptions, file: Path
) -> tuple[dict[str, Tensor], ModelDescription]:
    if options.arch is None or options.classes is None:
        names = listed(sorted(weights.tensors)) or "missing"
        raise CheckpointError(
            f"{file} is {weights.kind} with {len(weights.tensors)} tensors whose names are {names}; {ACCEPTED}."
            " For the latter give --arch NAME and --classes FILE (one name a line)."
        )
    side = options.input_size or TORCHVISION_IMAGE_SIDE
    description = ModelDescription(
        architecture=TorchvisionConfig(options.arch, options.mean, options.std),
        classes=options.classes,
        input=InputDescription(side, side, options.channels, options.fit or "center_crop"),
        explanation=_explanation(options),
        training=None,
        scores={},
        source=f"Weights for torchvision's {options.arch}; the file does not say who made them, or from what.",
    )
    return {f"network.{name}": tensor for name, tensor in weights.tensors.items()}, description


def _explanation(options: ImportOptions) -> ExplanationDefaults:
    return ExplanationDefaults(rho=options.rho, scale=min(1.0, 2 * options.rho))


def _as_network_keeps(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in float32, whatever they were saved in, and the batch counters that old files lack and nobody reads."""
    kept = {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}
    for name in state:
        if name.endswith(".running_mean"):
            kept.setdefault(f"{name.removesuffix('running_mean')}num_batches_tracked", torch.tensor(0))
    return kept


def _provenance(weights: ForeignWeights, file: Path) -> str:
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return f"Imported from {weights.kind} with the SHA-256 `{sha256}`."
