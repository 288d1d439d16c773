"""aex bench."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.box import SIMPLE
from rich.table import Column, Table

from app.bench.lines import Findings, as_json
from app.bench.measure import PARTS
from app.bench.peers import missing_peers
from app.bench.plan import QUICK, Plan
from app.bench.plot import draw_benchmark
from app.bench.subject import Subject, open_subject
from app.cli.common import DeviceName, ModelsFolder, console, progress_bar, read_settings, typed_command
from app.errors import DataError, OptionError
from app.settings import Settings

_FULL = Plan()
_WITH_COMMAS = "with commas between"


def bench(
    model: Annotated[
        str | None, typer.Option("--model", help="Name of a model, a model folder, or a file to import.")
    ] = None,
    images: Annotated[
        Path, typer.Option("--images", help="Folder of pictures to explain; its first 16 are taken.")
    ] = Path("examples"),
    only: Annotated[
        str, typer.Option("--only", help=f"Measure no more than these, {_WITH_COMMAS}: {', '.join(PARTS)}.")
    ] = ",".join(PARTS),
    repeats: Annotated[
        int | None,
        typer.Option(
            "--repeats",
            min=1,
            help=f"Rounds of every comparison (default: {_FULL.repeats}, {_FULL.rounds} where clients ask a server).",
        ),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A little of everything, to see that it runs.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all that was measured here.")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw a PNG: the ratios, and how the cost of a row grows.")
    ] = None,
    models: ModelsFolder = None,
    device: DeviceName = None,
) -> None:
    """How fast is it beside others' code, on the same weights, pictures, threads and machine, in the same run?

    Examples: aex bench    aex bench --model resnet44-all.safetensors --json bench.json --plot bench.png

    aex bench --only latency,throughput --repeats 9
    """
    parts = _parts(only)
    _require_writable(json_file, plot)
    settings = read_settings(models, device)
    plan = QUICK if quick else _FULL
    if repeats is not None:
        plan = replace(plan, repeats=repeats, rounds=repeats)
    with open_subject(
        _model_path(settings, model),
        images,
        device=settings.torch_device(),
        make_step=settings.make_step(),
        engine_limits=settings.engine_limits(),
        decode_limits=settings.decode_limits(),
    ) as subject:
        found = _measure(subject, plan, parts)
        about = _about(subject, settings)
    title = f"{subject.checkpoint.name} by {subject.model.step.name}, threads: {settings.thread_count()}"
    title += ", quick: not to be quoted" if quick else ""
    console.print(_table(title, found))
    if missing_peers():
        console.print(f"Not installed, and so not measured: {', '.join(missing_peers())}.")
    if json_file is not None:
        written = {**about, "quick": quick, "plan": asdict(plan), **_as_json(found)}
        _write(json_file, f"{json.dumps(written, indent=2, ensure_ascii=False)}\n".encode())
    if plot is not None:
        _write(plot, draw_benchmark(title, found))


def _parts(text: str) -> tuple[str, ...]:
    asked = [part.strip() for part in text.split(",")]
    unknown = [part for part in asked if part not in PARTS]
    if unknown:
        raise OptionError(f"--only has {unknown[0]!r}; it may name {', '.join(PARTS)}.")
    return tuple(part for part in PARTS if part in asked)


def _require_writable(*files: Path | None) -> None:
    """Say before the minutes of measuring that what they find could not be written."""
    for file in files:
        if file is not None and (file.is_dir() or not file.absolute().parent.is_dir()):
            raise OptionError(f"{file} cannot be written: give the name of a file in a folder that is there.")


def _model_path(settings: Settings, model: str | None) -> Path:
    """A model of the models folder by its name, or else the path that was given."""
    named = settings.models_dir / (model or settings.default_model)
    return named if model is None or named.is_dir() else Path(model)


def _measure(subject: Subject, plan: Plan, parts: Sequence[str]) -> dict[str, Findings]:
    with progress_bar() as bar:
        tasks = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=of, live="")
            bar.update(tasks[what], completed=done)

        return {part: PARTS[part](subject, plan, tell) for part in parts}


def _about(subject: Subject, settings: Settings) -> dict[str, object]:
    """What the figures are of."""
    return {
        "command": typed_command(),
        "model": subject.checkpoint.name,
        "weights_sha256": subject.checkpoint.weights_sha256,
        "step": subject.model.step.name,
        "pictures": len(subject.files),
        "device": _device_name(subject.device),
        "threads": settings.thread_count(),
        "cores": os.cpu_count(),
        "versions": {name: version(name) for name in ("adversarial-explanations", "torch", "openvino")},
    }


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _as_json(found: Mapping[str, Findings]) -> dict[str, object]:
    return {
        "lines": [as_json(line) for findings in found.values() for line in findings.lines],
        "measured": {part: findings.measured for part, findings in found.items()},
    }


def _table(title: str, found: Mapping[str, Findings]) -> Table:
    ours = Column("ours", no_wrap=True, justify="right")
    table = Table("what", ours, "peer", "ratio", "to reach", "reached", title=title, box=SIMPLE)
    for findings in found.values():
        for line in findings.lines:
            table.add_row(
                line.what,
                f"{_shown(line.ours)} {line.unit}",
                f"{_shown(line.peers)} ({line.peer})",
                f"{line.ratio:.2f}",
                "" if line.goal is None else str(line.goal),
                {None: "", True: "yes", False: "no"}[line.reached],
            )
        table.add_section()
    return table


def _shown(value: float) -> str:
    """Three digits that matter, and never an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _write(file: Path, content: bytes) -> None:
    try:
        file.write_bytes(content)
    except OSError as error:
        raise DataError(f"{file} cannot be written: {error.strerror}.") from error
