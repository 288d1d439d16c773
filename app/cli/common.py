"""What several commands share: reading images, opening an explainer, a progress bar."""

import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.engine.device import Engine
from app.errors import AexError, DataError, OptionError
from app.images.decode import ACCEPTED
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.settings import Settings
from app.web.options.values import box, center_and_width

console = Console()
errors = Console(stderr=True)

WORTH_COMPILING = 50  # images: the quickest step is made in seconds, or found in the cache in less than one

ImagePaths = Annotated[list[Path], typer.Argument(help=f"Image files: {ACCEPTED}.")]
PageNumber = Annotated[int | None, typer.Option("--page", help="Page of a PDF or TIFF, from 1 (default: 1).")]
FrameNumber = Annotated[
    int | None,
    typer.Option("--frame", help="Frame of a DICOM, HEIC or GIF file, from 1 (default: DICOM's middle one)."),
]
RegionBox = Annotated[
    str | None,
    typer.Option("--region", help="left,top,width,height in pixels: show the network this part (default: all)."),
]
LevelWindow = Annotated[
    str | None, typer.Option("--window", help="center,width of DICOM levels, in its units (default: the file's own).")
]
ModelName = Annotated[str | None, typer.Option("--model", help="Name of a model in the models folder.")]
ModelsFolder = Annotated[Path | None, typer.Option("--models", help="Folder of models (default: AEX_MODELS_DIR).")]
SecondOpinion = Annotated[
    bool, typer.Option("--second-opinion/--no-second-opinion", help="Ask the model's plain twin, too.")
]
DeviceName = Annotated[str | None, typer.Option("--device", help="cpu, cuda, cuda:1 … (default: AEX_DEVICE).")]


def read_settings(models: Path | None = None, device: str | None = None) -> Settings:
    """Settings from the environment, with what the command line says instead; threads are bounded once, here."""
    said = {"models_dir": models, "device": device}
    settings = Settings(**{name: value for name, value in said.items() if value is not None})
    torch.set_num_threads(settings.thread_count())
    return settings


def typed_command() -> str:
    """What to type to do the same again: of a file elsewhere its name, because cards travel, and not --resume."""
    words = (re.sub(r"(^|=)(/|\.\./|~/).*/", r"\1", word) for word in sys.argv[1:] if word != "--resume")
    return shlex.join(["aex", *words])


@contextmanager
def open_explainer(model: str | None, models: Path | None, device: str | None, *, images: int) -> Iterator[Explainer]:
    """An explainer of this process's own, closed at the end of the block; `model` need not be the installation's."""
    settings = read_settings(models, device)
    catalogue = Catalogue(settings.models_dir, settings.torch_device(), model or settings.default_model)
    if images >= WORTH_COMPILING:
        catalogue.quicken(catalogue.default, settings.make_step())
    engine = Engine(replace(settings.engine_limits(), places=1))
    try:
        yield Explainer(
            catalogue,
            engine,
            decode_limits=settings.decode_limits(),
            max_rows=settings.max_rows,
            strip_phi=settings.strip_phi,
        )
    finally:
        engine.close()


def each_image(paths: list[Path], what: str) -> Iterator[tuple[Path, bytes]]:
    """Path and bytes of each image, with a progress bar where there is more than one."""
    with progress_bar(hidden=len(paths) < 2) as bar:
        task = bar.add_task(what, total=len(paths), live="")
        for path, data in each_file(paths):
            yield path, data
            bar.advance(task)


def each_file(paths: list[Path]) -> Iterator[tuple[Path, bytes]]:
    """Path and bytes of each file, as they are needed."""
    for path in paths:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}.") from error
        yield path, data


def read_region(text: str | None) -> tuple[int, int, int, int] | None:
    """The box of `--region`."""
    if text is None:
        return None
    try:
        return box(text)
    except ValueError:
        raise OptionError(f"region is {text!r}; it must be left,top,width,height: four whole numbers.") from None


def read_window(text: str | None) -> tuple[float, float] | None:
    """Centre and width of `--window`."""
    if text is None:
        return None
    try:
        return center_and_width(text)
    except ValueError:
        raise OptionError(f"window is {text!r}; it must be center,width: two numbers, the width above 0.") from None


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the file's name before what went wrong with it."""
    try:
        yield
    except OptionError:
        raise  # the same for every image
    except AexError as error:
        raise DataError(f"{path}: {error}") from error


def print_second_opinion(answer: Mapping[str, Any]) -> None:
    """What the model's twin makes of the image, where there is one; `answer` is the JSON of a prediction or more."""
    second = answer["second_opinion"]
    if second is not None:
        read, probability = second["prediction"]["class"], second["prediction"]["probability"]
        verdict = "the same" if second["agrees"] else "[bold]they disagree[/bold]"
        console.print(f"second opinion, by {second['model']['name']}: {read} at {probability:.3f}; {verdict}")


def progress_bar(*, hidden: bool = False) -> Progress:
    """A bar with count and time left, on standard error so that answers can be piped."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[live]}"),
        console=errors,
        disable=hidden,
    )
