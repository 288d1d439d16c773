"""models/NAME/: weights, model.json, CARD.md and its pictures. Read whole and checked, written whole or not at all."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from app.errors import CheckpointError, ChecksumMismatch
from app.networks.card import PICTURES, write_card
from app.networks.description import ModelDescription, as_text, from_json, require_valid
from app.networks.domain import Domain
from app.networks.fields import read_json
from app.networks.fit_weights import build_with_weights
from app.networks.resnet import freeze

__all__ = ["Checkpoint", "ModelDescription", "load_checkpoint", "read_description", "save_checkpoint"]

WEIGHTS, DESCRIPTION, CARD = "weights.safetensors", "model.json", "CARD.md"
DOMAIN = "domain.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """A network ready to be asked: on its device, in evaluation mode, no gradient on any weight.

    Attributes:
        network: images (batch, channels, height, width) in [0, 1] to logits (batch, classes).
        description: what model.json says.
        weights_sha256: of weights.safetensors, hexadecimal.
        folder: where it was read from; its name is the model's name.
        device: where the network is.
        domain: where the model's own images lie; None where that was not calibrated.
    """

    network: nn.Module
    description: ModelDescription
    weights_sha256: str
    folder: Path
    device: torch.device
    domain: Domain | None = None

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the network's images."""
        size = self.description.input
        return size.channels, size.height, size.width


def read_description(folder: Path) -> tuple[ModelDescription, str]:
    """What model.json says, and the weights' SHA-256; the weights are not read.

    Raises:
        CheckpointError: model.json is missing or wrong; names the file and the field.
    """
    file = folder / DESCRIPTION
    return from_json(read_json(file), file)


def load_checkpoint(folder: Path, device: torch.device | str) -> Checkpoint:
    """Read a model folder, checking every field, the weights' SHA-256, their fit, and one pass through the network.

    Raises:
        ChecksumMismatch: the weights are not the ones that model.json describes.
        CheckpointError: anything else is wrong; names the file and what would be right.
    """
    description, sha256 = read_description(folder)
    tensors = _read_weights(folder / WEIGHTS, sha256)
    place = torch.device(device)
    network = freeze(build_with_weights(description, tensors, folder / WEIGHTS).to(place))
    try_once(network, description, place, folder / DESCRIPTION)
    return Checkpoint(network, description, sha256, folder, place, _read_domain(folder, network, description, place))


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    description: ModelDescription,
    pictures: Mapping[str, bytes] | None = None,
    domain: Domain | None = None,
) -> None:
    """Write a model folder, or replace one: a crash leaves the old one or the new one, never a mixture.

    Args:
        folder: models/NAME.
        network: its state dict is what is kept.
        description: checked as when it is read.
        pictures: PNG files by their names in `app.networks.card.PICTURES`; None keeps those that are there.
        domain: where the description is calibrated to one.

    Raises:
        CheckpointError: the description does not hold, or is calibrated to another domain, or the folder is
            there and is no model's.
    """
    folder = folder.resolve()
    require_valid(description, folder / DESCRIPTION)
    _require_replaceable(folder)
    numbers = _domain_file(description, domain, folder)
    state = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in network.state_dict().items()}
    weights = save(state)
    sha256 = hashlib.sha256(weights).hexdigest()
    if pictures is None:
        pictures = read_pictures(folder)
    beside = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.new")
    beside.mkdir(parents=True)
    try:
        _write(beside / WEIGHTS, weights)
        _write(beside / DESCRIPTION, as_text(description, sha256))
        if numbers is not None:
            _write(beside / DOMAIN, numbers)
        _write(beside / CARD, write_card(folder.name, description, pictures).encode())
        for name, png in pictures.items():
            _write(beside / name, png)
        _put_in_place(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def read_pictures(folder: Path) -> dict[str, bytes]:
    """The card's pictures in a model folder, by name."""
    return {name: (folder / name).read_bytes() for name in PICTURES if (folder / name).is_file()}


def try_once(network: nn.Module, description: ModelDescription, device: torch.device, file: Path) -> None:
    """One mid-grey image through the network: its logits must be one finite number for each class.

    Raises:
        CheckpointError: they are not, or the network does not take images of this size; blames `file`.
    """
    size, image = description.input, _grey_image(description, device)
    shown = f"an image of {size.height}x{size.width} pixels and {size.channels} channels"
    try:
        with torch.no_grad():
            logits = network(image)
    except (RuntimeError, ValueError, AssertionError) as error:
        raise CheckpointError(f"{file}: input does not suit the network, which fails on {shown}: {error}") from error
    if logits.shape != (1, len(description.classes)) or not logits.isfinite().all():
        raise CheckpointError(
            f"{file}: the network gives logits of shape {tuple(logits.shape)} for {shown};"
            f" they must be finite and of shape (1, {len(description.classes)}), one for each class."
        )


def _grey_image(description: ModelDescription, device: torch.device) -> Tensor:
    size = description.input
    return torch.full((1, size.channels, size.height, size.width), 0.5, device=device)


def _domain_file(description: ModelDescription, domain: Domain | None, folder: Path) -> bytes | None:
    """The file that the description is calibrated to, None where it is not."""
    if description.calibration is None or description.calibration.domain is None:
        return None
    numbers = None if domain is None else domain.as_file()
    if numbers is None or hashlib.sha256(numbers).hexdigest() != description.calibration.domain.sha256:
        raise CheckpointError(f"{folder} is calibrated to a domain that is not given with it; calibrate it again.")
    return numbers


def _read_domain(
    folder: Path, network: nn.Module, description: ModelDescription, device: torch.device
) -> Domain | None:
    if description.calibration is None or description.calibration.domain is None:
        return None
    file = folder / DOMAIN
    numbers = _read_whole(file, description.calibration.domain.sha256)
    try:
        return Domain.from_file(numbers, network, _grey_image(description, device))
    except ValueError as error:
        raise CheckpointError(f"{file} does not fit its network: {error}.") from None


def _read_weights(file: Path, sha256: str) -> Mapping[str, Tensor]:
    weights = _read_whole(file, sha256)
    try:
        return load(weights)
    except SafetensorError as error:
        raise CheckpointError(f"{file} is not a safetensors file: {error}.") from None


def _read_whole(file: Path, sha256: str) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}.") from None
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ChecksumMismatch(
            f"{file} has the SHA-256 {found}, and {DESCRIPTION} says {sha256};"
            " the two must be of one model: take both from the same place again."
        )
    return content


def _require_replaceable(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise CheckpointError(f"{folder} is a file; a model is a folder of its own.")
    others = sorted({file.name for file in folder.iterdir()} - {WEIGHTS, DESCRIPTION, CARD, DOMAIN, *PICTURES})
    if others:
        raise CheckpointError(
            f"{folder} has {others[0]!r} in it, which is no part of a model and would be lost;"
            " give a new folder, or move that away."
        )


def _write(file: Path, content: bytes) -> None:
    with file.open("xb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _put_in_place(new: Path, folder: Path) -> None:
    """Rename `new` to `folder`; what was there goes away after the new one stands."""
    old = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.old")
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except OSError:
        if old.exists():
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
