"""aex train."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from app.cli.common import console, progress_bar, read_settings
from app.errors import OptionError
from app.training.export import export
from app.training.load import load_data
from app.training.recipe import RECIPES
from app.training.train import Progress
from app.training.train import train as run_training


def train(
    recipe: Annotated[str, typer.Argument(help=f"One of {', '.join(RECIPES)}.")],
    data: Annotated[
        Path,
        typer.Option("--data", help="npz with train_images uint8 (n, height, width, 1 or 3), train_labels, test_…"),
    ],
    out: Annotated[Path, typer.Option("--out", help="Model folder to write, such as models/cifar10.")],
    run: Annotated[Path | None, typer.Option("--run", help="Folder of the run's state (default: runs/NAME).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last state.")] = False,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Instead of the recipe's.")] = None,
    source: Annotated[
        str, typer.Option("--source", help="Sentences for the card: where the images come from, and their licence.")
    ] = "Where its images come from was not said.",
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Compile the passes: about 1.3 times faster on a CPU.")
    ] = True,
) -> None:
    """Train a robust network and write it as a model folder.

    Examples: aex train small-robust --data cifar10.npz --out models/cifar10    the same with --resume after a stop
    """
    if recipe not in RECIPES:
        raise OptionError(f"There is no recipe {recipe!r}; recipes are {', '.join(RECIPES)}.")
    read_settings()
    images = load_data(data)
    channels = images.train.images.shape[1]
    network = replace(RECIPES[recipe].network, classes=len(images.classes))
    if channels != network.channels:
        grey = sum(network.mean) / len(network.mean), sum(network.std) / len(network.std)
        network = replace(network, channels=channels, mean=grey[:1] * channels, std=grey[1:] * channels)
    chosen = replace(RECIPES[recipe], network=network, epochs=epochs or RECIPES[recipe].epochs)
    console.print(f"{len(images.train)} training and {len(images.test)} test images of {len(images.classes)} classes")

    folder = run or Path("runs") / out.name
    with progress_bar() as bar:
        task = bar.add_task("training", total=None, live="")

        def show(now: Progress) -> None:
            live = f"loss {now.loss:.3f}  accuracy {now.accuracy:.2f}  psi {now.psi:.0f}"
            bar.update(task, completed=now.step, total=now.steps, live=live)

        trained = run_training(chosen, images, folder, resume=resume, compiled=compiled, report=show)
    export(trained, recipe, chosen, images, folder, out, source=source)
    console.print(f"written to {out}; measure it with: aex evaluate {out} --data {data}")
