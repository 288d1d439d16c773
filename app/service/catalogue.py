"""The models that are served: every folder under models/, loaded at start."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from app.engine.model import DeviceModel, open_model
from app.engine.steps.eager import eager
from app.engine.steps.protocol import GradientStep
from app.errors import CheckpointError, UnknownModel
from app.networks.checkpoint import Checkpoint, load_checkpoint
from app.networks.description import NAME_RULE, ModelDescription, is_model_name


def model_folders(folder: Path) -> list[Path]:
    """Folders under `folder` that hold a model.json, by name; hidden ones are half-written or on their way out."""
    if not folder.is_dir():
        return []
    return sorted(model for model in folder.iterdir() if model.name[0] != "." and (model / "model.json").is_file())


MakeStep = Callable[[Checkpoint], GradientStep]
"""How the gradients of a model are computed; on the way it may take its time."""


@dataclass(frozen=True)
class Served:
    """A model that can be asked: what it is, and how the engine asks it."""

    checkpoint: Checkpoint
    model: DeviceModel


class Catalogue:
    """Every model of a folder, ready to be asked. One that is broken is set aside, unless it is the default."""

    def __init__(self, folder: Path, device: torch.device | str, default: str) -> None:
        """Load all models of `folder` on `device`. Gradients are torch's own until `quicken` finds a quicker way.

        Raises:
            UnknownModel: there is no model `default`.
            CheckpointError: the default model is broken.
        """
        self._default = default
        self._device = device
        self._served: dict[str, Served] = {}
        self._broken: dict[str, str] = {}
        for model in model_folders(folder):
            try:
                self._served[model.name] = self._load(model)
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
        return tuple(self._served)

    def descriptions(self) -> Mapping[str, ModelDescription]:
        """What each model says of itself."""
        return {name: served.checkpoint.description for name, served in self._served.items()}

    def broken(self) -> Mapping[str, str]:
        """Models that could not be loaded, and why. The reasons name files: they are for the operator alone."""
        return self._broken

    def twin(self, name: str | None = None) -> Served | None:
        """What gives a second opinion on the model of that name, or on the default; None where nothing does.

        Raises:
            UnknownModel: as `served` does.
        """
        described = self.get(name).description
        if described.twin is None or self._why_no_twin(described) is not None:
            return None
        return self._served[described.twin]

    def without_twin(self) -> Mapping[str, str]:
        """Models that name a twin which cannot give a second opinion, and why."""
        found = {name: self._why_no_twin(described) for name, described in self.descriptions().items()}
        return {name: why for name, why in found.items() if why is not None}

    def _why_no_twin(self, described: ModelDescription) -> str | None:
        if described.twin is None:
            return None
        if described.twin not in self._served:
            return f"Its twin {described.twin} is not served; put that model beside it."
        if self.get(described.twin).description.classes != described.classes:
            return f"Its twin {described.twin} has other classes; a twin has the same, in the same order."
        return None

    def get(self, name: str | None = None) -> Checkpoint:
        """What the model of that name, or the default, is; raises as `served` does."""
        return self.served(name).checkpoint

    def reload(self, name: str) -> None:
        """Serve what stands in the model's folder by now; requests that have begun finish with what they began with.

        Raises:
            UnknownModel: no model of that name is served.
            CheckpointError: what stands there is broken; the old one is served as before.
        """
        self._served[name] = self._load(self.get(name).folder)

    def quicken(self, name: str, make_step: MakeStep) -> None:
        """Have the model's gradients computed by a step that takes time to make; it is asked as before until then.

        Raises:
            UnknownModel: no model of that name is served.
        """
        before = self.served(name)
        model = _opened(before.checkpoint, make_step(before.checkpoint))
        if self._served[name] is before:  # else it was reloaded meanwhile, and this step is of the old weights
            self._served[name] = Served(before.checkpoint, model)

    def served(self, name: str | None = None) -> Served:
        """The model of that name, or the default.

        Raises:
            UnknownModel: there is none; lists what is available.
        """
        name = self._default if name is None else name
        if name in self._served:
            return self._served[name]
        available = f"available: {', '.join(self._served) or 'none'}"
        if name in self._broken:
            raise UnknownModel(f"Model {name} is installed but could not be loaded; {available}.")
        if not is_model_name(name):
            raise UnknownModel(f"There is no model of that name; a name is {NAME_RULE}; {available}.")
        raise UnknownModel(f"There is no model {name}; {available}.")

    def _load(self, folder: Path) -> Served:
        if not is_model_name(folder.name):
            raise CheckpointError(f"{folder} is not a model's name; rename the folder to {NAME_RULE}.")
        checkpoint = load_checkpoint(folder, self._device)
        return Served(checkpoint, _opened(checkpoint, eager(checkpoint.network)))


def _opened(checkpoint: Checkpoint, step: GradientStep) -> DeviceModel:
    return open_model(checkpoint.network, step, checkpoint.shape, checkpoint.device, checkpoint.name)
