"""The models that are served: every folder under models/, loaded at start."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch

from app.errors import CheckpointError, UnknownModel
from app.networks.checkpoint import Checkpoint, load_checkpoint
from app.networks.description import ModelDescription

_SAFE_NAME = re.compile(r"[a-z0-9_-]{1,64}")
NAME_RULE = "1 to 64 of a-z, 0-9, _ and -"


def is_model_name(name: str) -> bool:
    """Whether a model may be called this: see `NAME_RULE`."""
    return _SAFE_NAME.fullmatch(name) is not None


def model_folders(folder: Path) -> list[Path]:
    """Folders under `folder` that hold a model.json, by name; hidden ones are half-written or on their way out."""
    if not folder.is_dir():
        return []
    return sorted(model for model in folder.iterdir() if model.name[0] != "." and (model / "model.json").is_file())


class Catalogue:
    """Every model of a folder, ready to be asked. One that is broken is set aside, unless it is the default."""

    def __init__(self, folder: Path, device: torch.device | str, default: str) -> None:
        """Load all models of `folder` on `device`.

        Raises:
            UnknownModel: there is no model `default`.
            CheckpointError: the default model is broken.
        """
        self._default = default
        self._checkpoints: dict[str, Checkpoint] = {}
        self._broken: dict[str, str] = {}
        for model in model_folders(folder):
            try:
                self._checkpoints[model.name] = _load(model, device)
            except CheckpointError as error:
                if model.name == default:
                    raise
                self._broken[model.name] = str(error)
        self.get(default)

    @property
    def default(self) -> str:
        return self._default

    def names(self) -> tuple[str, ...]:
        """Models that can be asked, the default among them, by name."""
        return tuple(self._checkpoints)

    def descriptions(self) -> Mapping[str, ModelDescription]:
        """What each model says of itself."""
        return {name: checkpoint.description for name, checkpoint in self._checkpoints.items()}

    def broken(self) -> Mapping[str, str]:
        """Models that could not be loaded, and why. The reasons name files: they are for the operator alone."""
        return self._broken

    def get(self, name: str | None = None) -> Checkpoint:
        """The model of that name, or the default.

        Raises:
            UnknownModel: there is none; lists what is available.
        """
        name = self._default if name is None else name
        if name in self._checkpoints:
            return self._checkpoints[name]
        available = f"available: {', '.join(self._checkpoints) or 'none'}"
        if name in self._broken:
            raise UnknownModel(f"Model {name} is installed but could not be loaded; {available}.")
        if not is_model_name(name):
            raise UnknownModel(f"There is no model of that name; a name is {NAME_RULE}; {available}.")
        raise UnknownModel(f"There is no model {name}; {available}.")


def _load(folder: Path, device: torch.device | str) -> Checkpoint:
    if not is_model_name(folder.name):
        raise CheckpointError(f"{folder} is not a model's name; rename the folder to {NAME_RULE}.")
    return load_checkpoint(folder, device)
