"""aex audit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.table import Table
from torch import Tensor

from app.cli.common import (
    DeviceName,
    FrameNumber,
    LevelWindow,
    PageNumber,
    RegionBox,
    console,
    each_image,
    naming,
    progress_bar,
    read_region,
    read_settings,
    read_window,
    typed_command,
)
from app.cli.parts import part_used
from app.comparison.audit import AttackOptions, Goal
from app.errors import DataError, OptionError
from app.images.selection import Selection
from app.networks.checkpoint import Checkpoint, load_checkpoint
from app.service.audits.attacks import (
    MethodAudit,
    as_picture,
    audit_model,
    check_methods,
    summary_of,
)
from app.service.audits.sheet import draw_audits
from app.service.facts import image_facts
from app.service.options import GOALS, METHOD_NAMES, PredictOptions
from app.service.uploads import read_upload
from app.training.load import load_data

DEFAULT = AttackOptions()


def audit(
    model: Annotated[Path, typer.Argument(help="Folder of a model.")],
    images: Annotated[list[Path] | None, typer.Argument(help="Image files; or give --data.")] = None,
    data: Annotated[Path | None, typer.Option("--data", help="Images with labels, as for aex evaluate.")] = None,
    count: Annotated[int, typer.Option("--images", min=1, help="Test images of --data, drawn by the seed.")] = 100,
    beside: Annotated[
        list[Path] | None, typer.Option("--beside", help="More models, such as the plain twin; repeatable.")
    ] = None,
    methods: Annotated[
        str, typer.Option("--methods", help=f"Some of {', '.join(METHOD_NAMES)}, with commas between.")
    ] = ",".join(METHOD_NAMES),
    size: Annotated[float, typer.Option("--size", min=1e-3, max=1, help="RMS of the change at most.")] = (
        DEFAULT.size_rms
    ),
    steps: Annotated[int, typer.Option("--steps", min=1, help="Gradient steps of each attack.")] = DEFAULT.steps,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the images, and starts the attacks.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for audit.json, and a sheet of pictures of each goal and model."),
    ] = None,
    page: PageNumber = None,
    frame: FrameNumber = None,
    window: LevelWindow = None,
    region: RegionBox = None,
    device: DeviceName = None,
) -> None:
    """How far can explanations be made to lie by a change too small to see? Attack each method, and measure.

    "move" keeps the class and takes the map as far from itself as it can; "keep" changes the class and leaves the map
    as it was. Rank correlation 1 means the same map, 0 nothing in common, -1 the opposite.

    Examples: aex audit models/cifar10 examples/cat-0.png --beside models/cifar10_plain --out out
    aex audit models/cifar10 --data cifar10.npz --images 50 --methods gradcam,adversarial

    A page, a slice through a window, a part of a picture: aex audit models/cifar10 scan.pdf --page 2
    aex audit models/chest_xray ct.zip --frame 40 --window -600,1500
    aex audit models/chest_xray x-ray.dcm --region 300,200,512,512
    """
    if (images is None) == (data is None):
        raise OptionError("Give image files, or --data, and not both.")
    chosen = tuple(name for name in methods.split(",") if name)
    check_methods(chosen)
    where = read_settings(device=device).torch_device()
    models = [load_checkpoint(folder, where) for folder in (model, *(beside or ()))]
    selection = PredictOptions(page=page, frame=frame, window=read_window(window), region=read_region(region)).selection
    options = AttackOptions(size_rms=size, steps=steps, seed=seed)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    written: list[Mapping[str, object]] = []
    for one in models:
        shown = (
            _read_files(images, one, selection, say=one is models[0]) if images else _read_data(data, one, count, seed)
        )
        found = _audited(one, shown, chosen, options)
        console.print(_table(found))
        written += [_written(part) for part in found]
        if out is not None:
            _draw(out, one, shown, found)
    if out is not None:
        (out / "audit.json").write_text(json.dumps({"command": typed_command(), "audits": written}, indent=2) + "\n")
        console.print(f"written to {out}")


def _read_files(paths: list[Path], checkpoint: Checkpoint, selection: Selection, *, say: bool) -> Tensor:
    """What the network is shown of each file; which part of it that is, is printed where it is to `say` so."""
    limits = read_settings().decode_limits()
    fitted = []
    for path, content in each_image(paths, "reading"):
        with naming(path):
            upload = read_upload(content, limits, checkpoint.description.input, selection)
            fitted.append(as_picture(upload.fitted))
        used = part_used(asdict(image_facts(upload)), selection.region)
        if say and used:
            console.print(f"{path}: {used}", highlight=False, soft_wrap=True)
    return torch.stack(fitted)


def _read_data(data: Path | None, checkpoint: Checkpoint, count: int, seed: int) -> Tensor:
    if data is None:
        raise DataError("There are no images.")
    wanted = checkpoint.description.input
    test = load_data(
        data, height=wanted.height, width=wanted.width, channels=wanted.channels, fit=wanted.fit, test_only=True
    ).test
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))
    return test.images[order[:count]].float() / 255


def _audited(
    checkpoint: Checkpoint, images: Tensor, methods: Sequence[str], options: AttackOptions
) -> list[MethodAudit]:
    with progress_bar() as bar:
        task = bar.add_task(f"auditing {checkpoint.name}", total=len(methods) * len(GOALS) * len(images), live="")

        def tell(method: str, goal: Goal, done: int) -> None:
            bar.update(task, advance=done, live=f"{method}, {goal}")

        return list(audit_model(checkpoint, images, methods, options, tell))


def _table(found: Sequence[MethodAudit]) -> Table:
    table = Table(
        "method", "goal", "found", "rank correlation", "below .3", "SSIM", "centre, px", "RMS", title=found[0].model
    )
    for one in found:
        figures = summary_of(one.audit)
        table.add_row(
            one.method,
            one.goal,
            f"{figures.found} of {figures.images}",
            _shown(figures.spearman_median, 2),
            f"{figures.weak_share:.0%}",
            _shown(figures.ssim_median, 2),
            _shown(figures.center_distance_median, 1),
            _shown(figures.perturbation_rms_median, 4),
        )
    return table


def _written(one: MethodAudit) -> Mapping[str, object]:
    return {"model": one.model, "method": one.method, "goal": one.goal, **asdict(summary_of(one.audit))}


def _shown(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _draw(out: Path, checkpoint: Checkpoint, images: Tensor, found: Sequence[MethodAudit]) -> None:
    classes = checkpoint.description.classes
    for goal in GOALS:
        of_goal = [one for one in found if one.goal == goal]
        (out / f"{checkpoint.name}-{goal}.png").write_bytes(draw_audits(of_goal, classes, images, rows=6))
