"""aex evaluate."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.cli.common import console, progress_bar, read_settings
from app.networks.checkpoint import load_checkpoint
from app.training.data import load_npz
from app.training.evaluate import Measures
from app.training.evaluate import evaluate as measure
from app.training.export import record_measures


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model folder, such as models/cifar10.")],
    data: Annotated[Path, typer.Option("--data", help="npz with test_images and test_labels.")],
    images: Annotated[int, typer.Option("--images", help="Images to attack and explain.")] = 200,
    steps: Annotated[int, typer.Option("--steps", help="Steps of each minimal attack; the paper's are 450.")] = 100,
    record: Annotated[bool, typer.Option("--record/--no-record", help="Write into model.json and CARD.md.")] = False,
) -> None:
    """Measure accuracy, accuracy-robustness areas and explanations on the test split.

    Examples: aex evaluate models/cifar10 --data cifar10.npz    … --images 1000 --steps 450 --record
    """
    settings = read_settings()
    checkpoint = load_checkpoint(model, settings.torch_device())
    test = load_npz(data).test
    with progress_bar() as bar:
        tasks = {what: bar.add_task(what, total=None, live="") for what in ("classifying", "attacking", "explaining")}

        def show(what: str, done: int, of: int) -> None:
            bar.update(tasks[what], completed=done, total=of)

        rho = checkpoint.description.explanation.rho
        found = measure(checkpoint.network, test, images=images, steps=steps, rho=rho, report=show)
    console.print(_table(str(model), found))
    if record:
        record_measures(model, checkpoint, found)
        console.print(f"recorded in {model}")


def _table(title: str, found: Measures) -> Table:
    table = Table("measure", "value", title=title)
    numbers = asdict(found)
    for name, value in (numbers | {f"explanations: {k}": v for k, v in numbers.pop("explanations").items()}).items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    return table
