"""aex evaluate."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from rich.table import Table

from app.adversarial.sizes import l2_per_rms
from app.cli.calibration import Calibrated, calibrate, check_sanity, order_pixels
from app.cli.common import console, progress_bar, read_settings, typed_command
from app.engine.steps.openvino import openvino_step
from app.engine.steps.protocol import StepNetwork
from app.errors import DataError, OptionError
from app.networks.checkpoint import load_checkpoint
from app.networks.description import ModelDescription
from app.networks.importing import ImportOptions, import_network
from app.networks.scores import score_tables
from app.training.data import DataSet, Images
from app.training.evaluate import (
    AUTHORS_SEED,
    PARTS,
    Evaluation,
    Plan,
    Subject,
    as_plain,
    compare,
    ledger_options,
    scores_of,
    side_by_side,
)
from app.training.evaluate import evaluate as measure
from app.training.export import record_measures
from app.training.load import load_data
from app.training.measures.explanations import READABILITY_RHO
from app.training.measures.fixed_sizes import Effort
from app.training.measures.ledger import Ledger
from app.training.measures.plot import Curve, TradeOff, draw_accuracy, draw_trade_off

_QUICK = Plan()
_SIZES = ",".join(f"{size:g}" for size in _QUICK.sizes_rms)


def evaluate(
    model: Annotated[Path, typer.Argument(help="Model folder, such as models/cifar10, or a file to import.")],
    data: Annotated[Path, typer.Option("--data", help="As for aex train; only its test split is read.")],
    images: Annotated[int, typer.Option("--images", min=1, help="Images to attack and explain.")] = _QUICK.images,
    steps: Annotated[
        int, typer.Option("--steps", min=1, help="Steps of each minimal attack; the paper's are 450.")
    ] = _QUICK.steps,
    restarts: Annotated[
        int, typer.Option("--restarts", min=0, help="Further minimal attacks for the worst case, from random changes.")
    ] = _QUICK.restarts,
    sizes: Annotated[
        str, typer.Option("--sizes", help="RMS sizes for robust accuracy, with commas between; '' for none.")
    ] = _SIZES,
    attack_steps: Annotated[
        int, typer.Option("--attack-steps", min=1, help="Steps of APGD and FAB; AutoAttack's are 100.")
    ] = _QUICK.effort.steps,
    attack_targets: Annotated[
        int, typer.Option("--attack-targets", min=1, help="Classes that APGD-T and FAB aim at; AutoAttack's are 9.")
    ] = _QUICK.effort.targets,
    queries: Annotated[
        int, typer.Option("--queries", min=1, help="Queries of Square; AutoAttack's are 5000.")
    ] = _QUICK.effort.queries,
    only: Annotated[
        str,
        typer.Option(
            "--only", help=f"Measure no more than these, with commas between: {', '.join(PARTS)}; '' for none."
        ),
    ] = ",".join(PARTS),
    calibrating: Annotated[
        bool,
        typer.Option(
            "--calibrate/--no-calibrate", help="Find where its own images lie; reads the training split, too."
        ),
    ] = False,
    checking: Annotated[
        bool,
        typer.Option(
            "--sanity/--no-sanity", help="See how explanations change as layers are made random, of --images."
        ),
    ] = False,
    ordering: Annotated[
        bool,
        typer.Option("--quality/--no-quality", help="Delete and insert pixels as explanations of --images order them."),
    ] = False,
    others_of: Annotated[
        list[Path] | None,
        typer.Option("--others", help="Images of other kinds, for --calibrate: npz, folder or zip; repeatable."),
    ] = None,
    judge: Annotated[
        Path | None, typer.Option("--judge", help="Network that explanations are shown to: folder or file.")
    ] = None,
    judge_rho: Annotated[
        float, typer.Option("--judge-rho", min=1e-4, max=1, help="RMS of the explanations shown to the judge.")
    ] = READABILITY_RHO,
    beside: Annotated[
        list[Path] | None, typer.Option("--beside", help="More networks to measure on the same images; repeatable.")
    ] = None,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Images at a time.")] = _QUICK.batch_size,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Chooses the images, and all else random.")] = AUTHORS_SEED,
    resume: Annotated[
        Path | None, typer.Option("--resume", help="Keep finished batches in this file, and go on from it.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write everything measured as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Write a PNG of accuracy against RMS and L2.")] = None,
    trade_off: Annotated[
        Path | None, typer.Option("--trade-off", help="Write a PNG of accuracy against worst-case ARA of all networks.")
    ] = None,
    step: Annotated[
        Literal["torch", "openvino"], typer.Option("--step", help="What makes gradient steps; openvino on CPUs alone.")
    ] = "torch",
    record: Annotated[bool, typer.Option("--record/--no-record", help="Write into model.json and CARD.md.")] = False,
) -> None:
    """Measure accuracy, robustness and explanations on the test split. The defaults are a quick look.

    Examples: aex evaluate models/cifar10 --data cifar10.npz    … --images 1000 --steps 450 --restarts 1 --record
    … --beside models/other --judge models/other --resume run.safetensors --json run.json --plot run.png
    … --only '' --calibrate --others photos.zip --sanity --quality --images 50 --record
    """
    device = read_settings().torch_device()
    if record and not model.is_dir():
        raise OptionError(
            f"--record writes into a model folder, and {model} is none: import it with aex models import."
        )
    _require_writable(resume, json_file, plot, trade_off)
    parts = _parts(only)
    if trade_off is not None and "worst_case" not in parts:
        raise OptionError("--trade-off draws the worst case: name worst_case in --only.")
    if not parts and (judge, beside, plot) != (None, None, None):
        raise OptionError("--judge, --beside and --plot show what is measured: name something in --only.")
    effort = Effort(attack_steps, attack_targets, queries)
    ours, description = _load(model, device)
    read = _read_data(data, description, test_only=not calibrating)
    test = read.test
    others = [_load_beside(path, device, description) for path in beside or ()]
    reader = None if judge is None else _load_beside(judge, device, description)
    _require_names_apart([ours, *others])
    plan = Plan(min(images, len(test)), steps, restarts, _sizes(sizes), effort, judge_rho, batch_size, seed, parts)
    ledger = Ledger(resume, ledger_options(test, plan))
    if step == "openvino":
        ours, *others = (_by_openvino(one, test) for one in (ours, *others))
    measured = {one.name: _measure(one, test, plan, ledger, reader) for one in (ours, *others)} if parts else {}
    command = typed_command()
    scores = scores_of(measured[ours.name].measures, command) if measured else {"runs": [{"command": command}]}
    calibrated = calibrate(ours, description, read, others_of or (), images, seed) if calibrating else None
    scores |= {} if calibrated is None else calibrated.scores
    scores |= {"sanity": check_sanity(ours, test, images, seed)} if checking else {}
    scores |= {"pixel_order": order_pixels(ours, test, images, seed)} if ordering else {}
    if others:
        scores |= _beside(ours, measured)
    for name, found in measured.items():
        _show(name, scores if name == ours.name else scores_of(found.measures, command))
        _say_never_flipped(name, found)
    if not measured:
        _show(ours.name, scores)
    if json_file is not None:
        whole = {name: scores_of(found.measures, command) for name, found in measured.items() if name != ours.name}
        _write_json(json_file, {"model": ours.name, **scores, "others": whole})
    if plot is not None:
        curves = [Curve(name, found.changes, found.measures.robust_accuracy) for name, found in measured.items()]
        draw_accuracy(plot, curves, classes=len(ours.classes), per_rms=l2_per_rms(*test.images.shape[1:]))
    if trade_off is not None:
        draw_trade_off(trade_off, _trade_offs(measured))
    if record:
        _record(model, scores, calibrated)
        console.print(f"recorded in {model}")


def _record(folder: Path, scores: Mapping[str, object], calibrated: Calibrated | None) -> None:
    checkpoint = load_checkpoint(folder, "cpu")
    if calibrated is not None:
        description = replace(checkpoint.description, calibration=calibrated.calibration)
        checkpoint = replace(checkpoint, description=description, domain=calibrated.domain)
    record_measures(folder, checkpoint, scores)


def _require_writable(*files: Path | None) -> None:
    """Say before the hours of measuring that what they find could not be written."""
    for file in files:
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise OptionError(f"{file} cannot be written: give the name of a file in a folder that is there.")


def _beside(ours: Subject, measured: Mapping[str, Evaluation]) -> dict[str, object]:
    """The networks side by side, and the ratio of the first one's worst-case area to each other's."""
    others = [name for name in measured if name != ours.name]
    ratios = [compare(measured[ours.name], measured[name], name, len(ours.classes)) for name in others]
    table = side_by_side({name: found.measures for name, found in measured.items()})
    return {"comparison": as_plain(ratios), "side_by_side": table}


def _trade_offs(measured: Mapping[str, Evaluation]) -> list[TradeOff]:
    return [
        TradeOff(name, found.measures.classification.accuracy, area)
        for name, found in measured.items()
        if (area := found.measures.areas.worst_case_ara) is not None
    ]


def _require_names_apart(subjects: list[Subject]) -> None:
    names = [subject.name for subject in subjects]
    if len(set(names)) < len(names):
        raise OptionError(f"Two of the networks are called alike ({', '.join(names)}); copy one to another name.")


def _sizes(text: str) -> tuple[float, ...]:
    try:
        sizes = tuple(float(part) for part in text.split(",") if part.strip())
    except ValueError:
        sizes = (-1.0,)
    if any(not 0 < size <= 1 for size in sizes):
        raise OptionError(f"--sizes is {text!r}; give RMS sizes above 0 and up to 1, such as {_SIZES}.")
    return tuple(sorted(set(sizes)))


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        raise OptionError(f"--only has {unknown[0]!r}; it may name {', '.join(PARTS)}.")
    return tuple(part for part in PARTS if part in parts)


def _by_openvino(subject: Subject, test: Images) -> Subject:
    """The same, with gradient steps of about half the time, each checked against torch's."""
    shape, classes = test.images.shape[1:], len(subject.classes)
    made = openvino_step(subject.network, shape, classes, threads=torch.get_num_threads())
    return replace(subject, fast=StepNetwork(made, classes))


def _load(path: Path, device: torch.device) -> tuple[Subject, ModelDescription]:
    """A network from a model folder, or from a file of another's that we can import."""
    if path.is_dir():
        checkpoint = load_checkpoint(path, device)
        network, description, sha256 = checkpoint.network, checkpoint.description, checkpoint.weights_sha256
    else:
        imported = import_network(path, ImportOptions())
        network, description = imported.network.to(device), imported.description
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    temperature = (description.training or {}).get("temperature")
    return Subject(
        name=path.name if path.is_dir() else path.stem,
        network=network,
        key=sha256[:16],
        classes=description.classes,
        rho=description.explanation.rho,
        temperature=temperature if isinstance(temperature, float) else None,
    ), description


def _load_beside(path: Path, device: torch.device, first: ModelDescription) -> Subject:
    """Another network for the same images."""
    subject, description = _load(path, device)
    if description.classes != first.classes or _shape(description) != _shape(first):
        raise OptionError(
            f"{path} takes images {_shape(description)} and has {len(description.classes)} classes; it must take"
            f" {_shape(first)} and have the same {len(first.classes)} classes in the same order as the first model."
        )
    return subject


def _shape(description: ModelDescription) -> tuple[int, int, int]:
    return description.input.channels, description.input.height, description.input.width


def _read_data(data: Path, description: ModelDescription, *, test_only: bool) -> DataSet:
    size = description.input
    with progress_bar() as bar:
        task = bar.add_task("reading", total=None, live="")
        read = load_data(
            data,
            height=size.height,
            width=size.width,
            channels=size.channels,
            fit=size.fit,
            test_only=test_only,
            tell=lambda done, of: bar.update(task, completed=done, total=of),
        )
    labelled = read.labelled_as(description.classes)
    test = labelled.test
    if tuple(test.images.shape[1:]) != _shape(description):
        raise DataError(
            f"The test images of {data} are {tuple(test.images.shape[1:])} (channels, height, width);"
            f" the network takes {_shape(description)}."
        )
    return labelled


def _measure(subject: Subject, test: Images, plan: Plan, ledger: Ledger, judge: Subject | None) -> Evaluation:
    with progress_bar() as bar:
        tasks = {}

        def show(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(f"{subject.name}: {what}", total=of, live="")
            bar.update(tasks[what], completed=done)

        return measure(subject, test, plan, ledger, judge=judge, report=show)


def _write_json(file: Path, written: dict[str, object]) -> None:
    try:
        file.write_text(json.dumps(written, indent=2) + "\n")
    except OSError as error:
        raise DataError(f"{file} cannot be written: {error.strerror}.") from error


def _show(name: str, scores: Mapping[str, object]) -> None:
    measured = {part: value for part, value in scores.items() if part != "runs"}  # what was asked for was just typed
    for table in score_tables(measured):
        shown = Table(*table.header, title=f"{name}: {table.title}" if table.title else name)
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown)


def _say_never_flipped(name: str, found: Evaluation) -> None:
    count, images = found.measures.areas.never_flipped, found.measures.areas.images
    if count:
        console.print(f"{name}: {count} of {images} images were never flipped; each counts as the largest size tried.")
