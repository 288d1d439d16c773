"""aex models: list, show, import, describe."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.table import Table

from app.cli.common import ModelsFolder, console, read_settings
from app.errors import OptionError
from app.networks.build import IMAGENET_MEAN, IMAGENET_STD
from app.networks.card import PICTURES
from app.networks.importing import PAPER_RHO, ImportOptions
from app.service import models as installed


def _joined(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{number:g}" for number in numbers)


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise OptionError(
            f"{option} is {text!r}; give numbers with commas between them, such as 0.5,0.5,0.5."
        ) from None


def _pictures(words: list[str]) -> dict[str, Path]:
    pictures = {}
    for word in words:
        kind, _, file = word.partition("=")
        if not file:
            raise OptionError(f"--picture is {word!r}; give KIND=FILE, such as explanations=out/sheet.png.")
        pictures[kind] = Path(file)
    return pictures


_KINDS = [name.removesuffix(".png") for name in PICTURES]

cli = typer.Typer(help="The models of this installation: list, show, import, describe.", no_args_is_help=True)


@cli.command("list")
def list_models(models: ModelsFolder = None) -> None:
    """Every model, its classes and its input.

    Example: aex models list
    """
    folder = read_settings(models).models_dir
    table = Table("model", "classes", "input", "accuracy", title=str(folder))
    for model in installed.list_models(folder):
        if model.description is None:
            table.add_row(model.name, f"[red]{model.problem}[/red]")
            continue
        size, accuracy = model.description.input, model.description.scores.get("accuracy")
        shape = f"{size.height}x{size.width}, {'colour' if size.channels == 3 else 'grey'}, {size.fit}"
        measured = f"{accuracy:.3f}" if isinstance(accuracy, float) else "not measured"
        table.add_row(model.name, str(len(model.description.classes)), shape, measured)
    console.print(table)


@cli.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Name of a model.")],
    models: ModelsFolder = None,
) -> None:
    """What is written down about one model.

    Example: aex models show cifar10
    """
    model = installed.show_model(read_settings(models).models_dir, name)
    console.print(Markdown(model.card or f"# {name}\n\nThis model has no card."))
    console.print(f"SHA-256 of the weights: {model.weights_sha256}", soft_wrap=True)


@cli.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="The authors' .safetensors or .pt, or a torchvision state dict.")],
    name: Annotated[str, typer.Option("--name", help="What the model will be called.")],
    arch: Annotated[str | None, typer.Option("--arch", help="torchvision classifier, such as resnet50.")] = None,
    classes: Annotated[Path | None, typer.Option("--classes", help="Text file, a class name a line.")] = None,
    input_size: Annotated[int | None, typer.Option("--input-size", help="Height and width in pixels.")] = None,
    channels: Annotated[int, typer.Option("--channels", help="3 for colour, 1 for grey.")] = 3,
    fit: Annotated[str | None, typer.Option("--fit", help="stretch, letterbox or center_crop.")] = None,
    mean: Annotated[str, typer.Option("--mean", help="Input normalization by channel.")] = _joined(IMAGENET_MEAN),
    std: Annotated[str, typer.Option("--std", help="Input normalization by channel.")] = _joined(IMAGENET_STD),
    rho: Annotated[float, typer.Option("--rho", help="Default RMS of an explanation.")] = PAPER_RHO,
    force: Annotated[bool, typer.Option("--force", help="Replace a model of that name.")] = False,
    models: ModelsFolder = None,
) -> None:
    """Take in weights that others trained. Nothing in the file is executed.

    Examples: aex models import net.safetensors --name theirs

    aex models import resnet50.pth --name ours --arch resnet50 --classes classes.txt --rho 0.02
    """
    options = ImportOptions(
        arch=arch,
        classes=installed.read_classes(classes) if classes is not None else None,
        input_size=input_size,
        channels=channels,
        fit=fit,  # type: ignore[arg-type]  # checked with the description
        mean=_numbers("--mean", mean),
        std=_numbers("--std", std),
        rho=rho,
    )
    folder = installed.import_model(file, read_settings(models).models_dir, name, options, force=force)
    console.print(f"written to {folder}; nothing was measured of it yet")


@cli.command("describe")
def describe(
    name: Annotated[str, typer.Argument(help="Name of a model.")],
    source: Annotated[str | None, typer.Option("--source", help="Where it comes from, and its data's licence.")] = None,
    intended_use: Annotated[str | None, typer.Option("--intended-use", help="What it may be relied on for.")] = None,
    known_failures: Annotated[str | None, typer.Option("--known-failures", help="Where it is known to fail.")] = None,
    rho: Annotated[float | None, typer.Option("--rho", help="Default RMS of an explanation.")] = None,
    scale: Annotated[float | None, typer.Option("--scale", help="Pixel level at the end of the colour bar.")] = None,
    twin: Annotated[
        str | None, typer.Option("--twin", help="Model of the same classes that gives a second opinion.")
    ] = None,
    picture: Annotated[
        list[str] | None,
        typer.Option("--picture", help=f"KIND=FILE, a PNG for the card; KIND is {', '.join(_KINDS)}; repeatable."),
    ] = None,
    models: ModelsFolder = None,
) -> None:
    """Write into a model's card what no measurement says. What is not given stays.

    Example: aex models describe cifar10 --intended-use "Trying the server out." --picture explanations=out/sheet.png
    """
    folder = installed.describe_model(
        read_settings(models).models_dir,
        name,
        source=source,
        intended_use=intended_use,
        known_failures=known_failures,
        rho=rho,
        scale=scale,
        twin=twin,
        pictures=_pictures(picture or []),
    )
    console.print(f"written to {folder / 'CARD.md'}")
