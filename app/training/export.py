"""From a finished run to a model folder, and from measures to its model.json and card."""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from torch import nn

from app.adversarial.explain import PAPER_RHO
from app.networks.card import write_card
from app.networks.checkpoint import Checkpoint, save_checkpoint
from app.networks.description import ExplanationDefaults, InputDescription, ModelDescription
from app.training.data import DataSet
from app.training.evaluate import Comparison, Measures, as_plain
from app.training.recipe import Recipe

DEFAULT_SCALE = 2 * PAPER_RHO  # few pixels change by more than twice the RMS


def export(
    network: nn.Module, name: str, recipe: Recipe, data: DataSet, run: Path, folder: Path, *, source: str
) -> None:
    """Write what a run trained as a model folder.

    Args:
        network: the trained network, of `recipe.network`.
        name: of the recipe, as `aex train` knows it.
        recipe: every number of the run.
        data: what it was trained on; gives the classes and the input size.
        run: folder of the run; its log says how long it took.
        folder: models/NAME.
        source: sentences on where the images come from and under which licence.
    """
    channels, height, width = data.train.images.shape[1:]
    description = ModelDescription(
        architecture=recipe.network,
        classes=data.classes,
        input=InputDescription(height=height, width=width, channels=channels, fit="stretch"),
        explanation=ExplanationDefaults(rho=PAPER_RHO, scale=DEFAULT_SCALE),
        training={"recipe": name, **_plain(asdict(recipe)), **_effort(run)},
        scores={},
        source=f"Trained from random weights by `aex train {name}`. {source}".strip(),
    )
    save_checkpoint(folder, network, description, write_card(folder.name, description))


def scores_of(measures: Measures) -> dict[str, object]:
    """Measures as plain JSON, the accuracy first, where lists of models look for it."""
    plain = as_plain(measures)
    return {"accuracy": measures.classification.accuracy.value, **cast(dict[str, object], plain)}


def record_measures(
    folder: Path, checkpoint: Checkpoint, measures: Measures, *, command: str, comparison: Comparison | None = None
) -> None:
    """Write what was measured, and by which command, into model.json, and CARD.md anew from it."""
    scores = {**scores_of(measures), "command": command}
    if comparison is not None:
        scores["comparison"] = as_plain(comparison)
    description = replace(checkpoint.description, scores=scores)
    save_checkpoint(folder, checkpoint.network, description, write_card(folder.name, description))


def _plain(value: Mapping[str, Any]) -> dict[str, object]:
    """The same as JSON would give it back: lists for tuples."""
    plain: dict[str, object] = json.loads(json.dumps(value))
    return plain


def _effort(run: Path) -> dict[str, object]:
    """Steps made and seconds taken, over every time the run was picked up."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    seconds = 0.0
    for line, following in zip(lines, [*lines[1:], None], strict=True):
        if following is None or following["seconds"] < line["seconds"]:  # the clock starts anew with each process
            seconds += line["seconds"]
    return {"steps": lines[-1]["step"], "seconds": round(seconds)}
