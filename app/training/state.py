"""A run's state on disk: all that the next step depends on. Written whole or not at all, and read by its own recipe."""

import io
import os
import pickle
from collections.abc import Mapping
from dataclasses import MISSING, Field, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any

import torch

from app.errors import DataError, NotWritten
from app.training.learner import Learner
from app.training.recipe import Recipe

_MAY_CHANGE = ("epochs",)  # a run may be made longer


def save_state(path: Path, step: int, recipe: Recipe, learner: Learner) -> None:
    """Write what `load_state` reads; a kill in the middle leaves the state before.

    Raises:
        NotWritten: the disk is full, or cannot be written.
    """
    state: dict[str, Any] = {
        "step": step,
        "pressure": learner.pressure,
        "recipe": asdict(recipe),
        "network": learner.network.state_dict(),
        "average": learner.average.average.state_dict(),
        "optimizer": learner.optimizer.state_dict(),
    }
    content = io.BytesIO()  # torch, writing to a full disk itself, would end in errors of its own
    torch.save(state, content)
    beside = path.with_suffix(".tmp")
    try:
        with beside.open("wb") as file:
            file.write(content.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        left = "holds the last state that was saved" if path.exists() else "was not written before either"
        raise NotWritten(
            f"The state of step {step} cannot be written beside {path}: {error.strerror}. {path} {left};"
            " make room, and go on with --resume."
        ) from error


def load_state(path: Path, recipe: Recipe, learner: Learner) -> int:
    """Take up a saved state; returns how many steps it has made.

    Raises:
        DataError: there is none, it is damaged, or it is of another recipe; names the fields that differ.
    """
    if not path.is_file():
        raise DataError(f"There is no {path} to resume from; start without --resume.")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        differing = differences(state["recipe"], recipe)
        if not differing:
            learner.network.load_state_dict(state["network"])
            learner.average.average.load_state_dict(state["average"])
            learner.optimizer.load_state_dict(state["optimizer"])
            learner.pressure = float(state["pressure"])
            return int(state["step"])
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise DataError(f"{path} is damaged, or not the state of such a run: start anew in another folder.") from error
    raise DataError(
        f"{path} is of another recipe: {'; '.join(differing)}. Resume with the numbers it began with, or start anew in"
        " another folder."
    )


def differences(saved: Mapping[str, object], recipe: Recipe) -> list[str]:
    """A phrase for each number that is not what a saved recipe has; numbers of epochs may differ."""
    return [what for what in _differences(saved, recipe, "") if what.split()[0] not in _MAY_CHANGE]


def _differences(saved: Mapping[str, object], now: Any, within: str) -> list[str]:  # noqa: ANN401 - any dataclass
    found = []
    for field in fields(now):
        value, name = getattr(now, field.name), f"{within}{field.name}"
        before = saved.get(field.name, _default(field))
        if is_dataclass(value) and isinstance(before, Mapping):
            found += _differences(before, value, f"{name}.")
        elif before != value:
            found.append(f"{name} was {before} and is {value}")
    return found


def _default(field: "Field[Any]") -> object:
    """What a state says by its silence that is older than the field."""
    return "not there" if field.default is MISSING else field.default
