"""From a finished run to a model folder, and from measures to its model.json and card."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, cast

from torch import nn

from app.adversarial.explain import PAPER_RHO
from app.errors import NotWritten
from app.networks.checkpoint import Checkpoint, save_checkpoint
from app.networks.description import ExplanationDefaults, Fit, InputDescription, ModelDescription
from app.training.data import DataSet
from app.training.measures.plot import training_curve
from app.training.recipe import Recipe

_Line = tuple[float, dict[str, float]]

DEFAULT_SCALE = 2 * PAPER_RHO  # few pixels change by more than twice the RMS


def export(
    network: nn.Module,
    name: str,
    recipe: Recipe,
    data: DataSet,
    run: Path,
    folder: Path,
    *,
    source: str,
    command: str,
    temperature: float | None = None,
    began: str = "random weights",
    fit: Fit = "stretch",
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
        command: what makes this network again.
        temperature: that its logits were divided by after training, if they were.
        began: what training started from.
        fit: how images of another shape were fitted, and so will be.

    Raises:
        NotWritten: the disk is full, or cannot be written.
    """
    channels, height, width = data.train.images.shape[1:]
    log = _read_log(run)
    description = ModelDescription(
        architecture=recipe.network,
        classes=data.classes,
        input=InputDescription(height=height, width=width, channels=channels, fit=fit),
        explanation=ExplanationDefaults(rho=PAPER_RHO, scale=DEFAULT_SCALE),
        training={
            "command": command,
            "recipe": name,
            **_plain(asdict(recipe)),
            **({} if temperature is None else {"temperature": temperature}),
            **_effort(log),
        },
        scores={},
        source=f"Trained from {began} by `{command}`. {source}".strip(),
    )
    try:
        save_checkpoint(folder, network, description, _pictures(log))
    except OSError as error:
        raise NotWritten(
            f"{folder} cannot be written: {error.strerror}. Make room, and run the same with --resume:"
            f" what was trained is in {run}."
        ) from error


def record_measures(folder: Path, checkpoint: Checkpoint, scores: Mapping[str, object]) -> None:
    """Write what was measured into model.json, and CARD.md anew from it.

    What this run did not measure, or less of, stays as an earlier one found it; the table of runs says what each
    was asked for.
    """
    before = checkpoint.description.scores
    found = {name: value for name, value in scores.items() if not _says_less(value, before.get(name))}
    runs = [run for part in (before, found) for run in cast(list[object], part.get("runs", []))]
    description = replace(checkpoint.description, scores={**before, **found, "runs": runs})
    save_checkpoint(folder, checkpoint.network, description, domain=checkpoint.domain)


def _says_less(value: object, than: object) -> bool:
    """Nothing at all, or null where the other has something."""
    if isinstance(value, Mapping) and isinstance(than, Mapping):
        return any(value.get(name) is None for name, known in than.items() if known is not None)
    return value in (None, [], {})


def _plain(value: Mapping[str, Any]) -> dict[str, object]:
    """The same as JSON would give it back: lists for tuples."""
    plain: dict[str, object] = json.loads(json.dumps(value))
    return plain


def _effort(log: Sequence[_Line]) -> dict[str, object]:
    """Steps made and seconds taken, over every time the run was picked up."""
    seconds, last = log[-1]
    return {"steps": last["step"], "seconds": round(seconds)}


def _pictures(log: Sequence[_Line]) -> dict[str, bytes]:
    held_out = [
        (seconds, {name: value for name, value in line.items() if name.startswith("held_out")})
        for seconds, line in log
        if "held_out_accuracy" in line
    ]
    return {"training.png": training_curve(held_out)} if held_out else {}


def _read_log(run: Path) -> list[_Line]:
    """Every line with the seconds of training so far: a process counts from 0 when it picks a run up."""
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    before, log = 0.0, []
    for line, last in zip(lines, [None, *lines], strict=False):
        if last is not None and line["seconds"] < last["seconds"]:
            before += last["seconds"]
        log.append((before + line["seconds"], line))
    return log
