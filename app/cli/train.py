"""aex train."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, cast

import torch
import typer

from app.cli.common import DeviceName, console, progress_bar, read_settings, typed_command
from app.cli.data_report import data_tables
from app.errors import OptionError
from app.images.fit import Fit
from app.networks.build import Architecture, TorchvisionConfig
from app.networks.resnet import ResNetConfig
from app.training.data import DataSet
from app.training.distributed import Processes, joined
from app.training.dry_run import STEPS, DryRun, dry_run, synthetic_images
from app.training.export import export
from app.training.journal import TENSORBOARD_INSTALLED
from app.training.load import load_data
from app.training.recipe import RECIPES, Recipe
from app.training.report import class_weights, mean_and_std, report, without_leaks
from app.training.start import Start, deepened, read_start
from app.training.train import Progress, Trained, class_count, require_fit
from app.training.train import train as run_training

SYNTHETIC_CLASSES = 1000


def train(
    recipe: Annotated[str, typer.Argument(help=f"One of {', '.join(RECIPES)}.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", help="Folder or zip of train/CLASS/IMAGE and test/CLASS/IMAGE, an npz, or CIFAR-10's."),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Model folder to write, such as models/cifar10.")] = None,
    run: Annotated[Path | None, typer.Option("--run", help="Folder of the run's state (default: runs/NAME).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run's last state.")] = False,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Two steps at full size: time of an epoch, peak memory. Writes nothing.")
    ] = False,
    images: Annotated[
        int | None, typer.Option("--images", help="Training images that a dry run reckons with; without --data, noise.")
    ] = None,
    classes: Annotated[int | None, typer.Option("--classes", help="Of a dry run without --data.")] = None,
    size: Annotated[
        int | None, typer.Option("--size", help="Height and width in pixels (default: the images', the recipe's).")
    ] = None,
    fit: Annotated[str, typer.Option("--fit", help="Of other shapes: stretch, letterbox, center_crop.")] = "stretch",
    init: Annotated[
        Path | None, typer.Option("--init", help="Fine-tune: a model folder, or a state dict such as torchvision's.")
    ] = None,
    arch: Annotated[str | None, typer.Option("--arch", help="A torchvision network, not the recipe's.")] = None,
    blocks: Annotated[
        str | None,
        typer.Option("--blocks", help="Residual blocks of each group, such as 2,2,2; more than --init has start idle."),
    ] = None,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Instead of the recipe's.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Instead of the recipe's.")] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Of all processes together.")] = None,
    accumulate: Annotated[int | None, typer.Option("--accumulate", help="Parts of a batch, one at a time.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", help="Instead of the recipe's; Muon's in proportion.")
    ] = None,
    attack_size: Annotated[
        float | None, typer.Option("--attack-size", min=1e-4, max=1, help="Largest RMS of the training attacks.")
    ] = None,
    weigh: Annotated[
        bool | None, typer.Option("--class-weights/--no-class-weights", help="Weigh rare classes higher.")
    ] = None,
    aspect: Annotated[
        float | None, typer.Option("--max-aspect-ratio", help="Change width over height by up to this factor.")
    ] = None,
    amp: Annotated[bool | None, typer.Option("--amp/--no-amp", help="bfloat16 on CUDA.")] = None,
    source: Annotated[
        str, typer.Option("--source", help="Sentences for the card: where the images come from, and their licence.")
    ] = "Where its images come from was not said.",
    compiled: Annotated[
        bool, typer.Option("--compile/--no-compile", help="Compile the passes: about 1.3 times faster on a CPU.")
    ] = True,
    device: DeviceName = None,
) -> None:
    """Train a robust network and write it as a model folder.

    Examples: aex train small-robust --data cifar10.npz --out models/cifar10    the same with --resume after a stop

    aex train imagenet-robust --dry-run --images 1281167

    torchrun --standalone --nproc-per-node 4 --no-python aex train imagenet-robust --data imagenet --out models/mine
    """
    if recipe not in RECIPES:
        raise OptionError(f"There is no recipe {recipe!r}; recipes are {', '.join(RECIPES)}.")
    if not dry and (data is None or out is None):
        raise OptionError("Give --data and --out, or --dry-run to try the recipe on noise.")
    settings = read_settings(device=device)
    said = {
        "network": None if arch is None else TorchvisionConfig(arch),
        "epochs": epochs,
        "seed": seed,
        "batch_size": batch_size,
        "accumulate": accumulate,
        "learning_rate": learning_rate,
        "class_weights": weigh,
        "max_aspect_ratio": aspect,
        "amp": amp,
    }
    given: dict[str, Any] = {name: value for name, value in said.items() if value is not None}
    chosen = _changed(RECIPES[recipe], given, attack_size, blocks)
    start = None if init is None else _begin(init, chosen.network, blocks)
    if start is not None:
        chosen = replace(chosen, network=start.architecture)
    with joined(settings.torch_device()) as (processes, place):
        found = None if data is None else _read(data, size, cast(Fit, fit), hidden=not processes.is_first)
        if found is not None:
            chosen = _suited(chosen, found)
            if processes.is_first:
                console.print(data_tables(report(found)))
        if dry:
            sample = found or _noise(chosen, classes, size or chosen.side)
            count = images or len(sample.train)
            tried = _try(chosen, sample, count, place, processes, compiled=compiled)
            if processes.is_first:
                _tell(tried, chosen, count, place)
        elif found is not None and out is not None:
            folder = run or Path("runs") / out.name
            trained = _train(chosen, found, folder, start, place, processes, resume=resume, compiled=compiled)
            if processes.is_first:
                began = "random weights" if init is None else f"the weights of {init.name}"
                export(
                    trained.network,
                    recipe,
                    chosen,
                    found,
                    folder,
                    out,
                    source=source,
                    command=typed_command(),
                    temperature=trained.temperature,
                    began=began,
                    fit=cast(Fit, fit),
                )
                console.print(f"written to {out}; measure it with: aex evaluate {out} --data {data}")


def _changed(recipe: Recipe, given: dict[str, Any], attack_size: float | None, blocks: str | None) -> Recipe:
    """The recipe with what the command line says instead."""
    chosen = replace(recipe, **given)
    if chosen.muon is not None:
        share = chosen.learning_rate / recipe.learning_rate
        chosen = replace(chosen, muon=replace(chosen.muon, rate=chosen.muon.rate * share))
    if attack_size is not None:
        if chosen.attack is None:
            raise OptionError("This recipe trains without attacks: leave out --attack-size.")
        chosen = replace(chosen, attack=replace(chosen.attack, size_rms=attack_size))
    if blocks is not None:
        chosen = replace(chosen, network=_with_blocks(chosen.network, _counts(blocks)))
    return chosen


def _begin(init: Path, network: Architecture, blocks: str | None) -> Start:
    start = read_start(init, network)
    return start if blocks is None else deepened(start, _counts(blocks))


def _with_blocks(network: Architecture, blocks: tuple[int, ...]) -> Architecture:
    if not isinstance(network, ResNetConfig):
        raise OptionError("--blocks is for our own residual networks: leave it out with --arch.")
    if len(blocks) != len(network.widths):
        raise OptionError(f"--blocks must have a number for each of the {len(network.widths)} groups of this network.")
    return replace(network, blocks=blocks)


def _counts(blocks: str) -> tuple[int, ...]:
    counts = tuple(int(count) if count.isdecimal() else 0 for count in blocks.split(","))
    if min(counts) < 1:
        raise OptionError(f"--blocks is {blocks!r}; it must be numbers of 1 and more between commas, such as 2,2,2.")
    return counts


def _read(data: Path, size: int | None, fit: Fit, *, hidden: bool) -> DataSet:
    with progress_bar(hidden=hidden) as bar:
        task = bar.add_task("reading", total=None, live="")

        def tell(done: int, of: int) -> None:
            bar.update(task, completed=done, total=of)

        return without_leaks(load_data(data, height=size, width=size, fit=fit, tell=tell))


def _suited(recipe: Recipe, data: DataSet) -> Recipe:
    """The recipe with as many classes and channels as the data has."""
    network, channels = recipe.network, data.train.images.shape[1]
    if not isinstance(network, ResNetConfig):
        return recipe
    network = replace(network, classes=len(data.classes))
    if channels != network.channels:
        mean, std = mean_and_std(data.train.images)
        network = replace(network, channels=channels, mean=mean, std=std)
    return replace(recipe, network=network)


def _noise(recipe: Recipe, classes: int | None, side: int) -> DataSet:
    """One batch of it."""
    network = recipe.network
    count = network.classes if isinstance(network, ResNetConfig) else classes or SYNTHETIC_CLASSES
    channels = network.channels if isinstance(network, ResNetConfig) else 3
    noise = synthetic_images(recipe.batch_size, count, channels=channels, side=side)
    return DataSet(noise, noise, tuple(str(label) for label in range(count)))


def _try(
    recipe: Recipe, data: DataSet, count: int, device: torch.device, processes: Processes, *, compiled: bool
) -> DryRun:
    require_fit(recipe, data, len(data.train), processes)
    with progress_bar(hidden=not processes.is_first) as bar:
        task = bar.add_task("trying", total=STEPS, live="")
        return dry_run(
            recipe,
            data.train,
            class_count(recipe, data),
            count,
            device=device,
            processes=processes,
            compiled=compiled,
            report=lambda step: bar.update(task, completed=step),
        )


def _tell(tried: DryRun, recipe: Recipe, count: int, device: torch.device) -> None:
    steps = " and ".join(f"{seconds:.2f}" for seconds in tried.step_seconds)
    hours = tried.epoch_seconds / 3600
    console.print(f"steps of {recipe.batch_size} images took {steps} s, the first with all that is made once")
    console.print(
        f"an epoch of {count} images is {tried.steps_per_epoch} steps: {hours:.2f} hours;"
        f" the recipe's {recipe.epochs:g} epochs: {hours * recipe.epochs:.1f} hours"
    )
    what = "GPU memory" if device.type == "cuda" else "memory of the process"
    console.print(f"peak {what}: {tried.peak_bytes / 2**30:.2f} GiB")


def _train(
    recipe: Recipe,
    data: DataSet,
    folder: Path,
    start: Start | None,
    device: torch.device,
    processes: Processes,
    *,
    resume: bool,
    compiled: bool,
) -> Trained:
    if processes.is_first and not TENSORBOARD_INSTALLED:
        console.print("No TensorBoard logs: tensorboard is not installed; it is in the extra `train` of this package.")
    with progress_bar(hidden=not processes.is_first) as bar:
        task = bar.add_task("training", total=None, live="")

        def show(now: Progress) -> None:
            live = f"loss {now.loss:.3f}  accuracy {now.accuracy:.2f}  psi {now.psi:.0f}"
            bar.update(task, completed=now.step, total=now.steps, live=live)

        return run_training(
            recipe,
            data,
            folder,
            resume=resume,
            compiled=compiled,
            device=device,
            processes=processes,
            start=start,
            class_weights=class_weights(data.train.labels, len(data.classes)) if recipe.class_weights else None,
            report=show,
        )
