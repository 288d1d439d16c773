"""aex explain."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.table import Table

from app.cli.archive import ARCHIVED, ArchivedImage, ImagesIfAny, StoreThere, read_source, require_stored
from app.cli.common import (
    DeviceName,
    FrameNumber,
    LevelWindow,
    ModelName,
    ModelsFolder,
    PageNumber,
    RegionBox,
    SecondOpinion,
    console,
    print_second_opinion,
    read_region,
    read_settings,
    read_window,
)
from app.cli.explaining import Made, explaining_here, explaining_there
from app.cli.parts import FrameNumbers, ImagePart, PageNumbers, PartByPart, print_part_used, read_parts
from app.cli.quality import print_quality
from app.cli.remote import ServerAddress
from app.cli.reports import check_reports, kind_of
from app.errors import OptionError
from app.service.explaining.sheet import SheetRow, draw_sheet
from app.service.options import METHOD_NAMES, OBJECTS, OF_A_SWEEP, ExplainOptions
from app.web.file_names import RESULT
from app.web.options.values import sizes

MAX_SHEET_ROWS = 20  # targets of a row may be many, too


def explain(
    out: Annotated[Path, typer.Option("--out", help="Folder for the pictures and explanation.json.")],
    images: ImagesIfAny = None,
    model: ModelName = None,
    target: Annotated[
        list[str] | None,
        typer.Option("--target", help="Class name or id, predicted, runner_up or all; may be given again."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Class to contrast each target with, by name or id, predicted or runner_up."),
    ] = None,
    direction: Annotated[str, typer.Option(help="encourage or discourage.")] = "encourage",
    method: Annotated[
        str, typer.Option(help="fast, paper for the paper's own loop, or counterfactual: the smallest flip.")
    ] = "fast",
    methods: Annotated[
        str | None,
        typer.Option(help=f"Other methods to lay beside it, with commas: {', '.join(METHOD_NAMES[1:])}."),
    ] = None,
    rho: Annotated[
        float | None, typer.Option(help="RMS size of the change, above 0 to 1 (default: the model's).")
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(help="Explain at further sizes: how many, evenly up to twice rho, or 0.01,0.02,0.05."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Gradient steps at the most (default: the method's).")] = None,
    quality: Annotated[
        bool, typer.Option("--quality/--no-quality", help="Measure how good each map is; takes twenty times as long.")
    ] = False,
    judge: Annotated[
        str | None, typer.Option(help="With --quality: model that reads the explained picture (default: the twin).")
    ] = None,
    heatmap: Annotated[str, typer.Option(help="signed or magnitude.")] = "signed",
    overlay: Annotated[str, typer.Option(help="original, grayscale or none.")] = "original",
    color_map: Annotated[str | None, typer.Option("--color-map", help="Name of a colour map.")] = None,
    scale: Annotated[str | None, typer.Option(help="Pixel level at the end of the colour bar, or auto.")] = None,
    picture_side: Annotated[
        int | None,
        typer.Option("--picture-side", help="Draw pictures at most so many pixels long (default: the image's size)."),
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(
            help="Explain in square tiles of so many pixels, or input: the network's own side; and join them."
        ),
    ] = None,
    tile_overlap: Annotated[
        float, typer.Option("--tile-overlap", help="Share of a tile's side that neighbours have in common, 0 to 0.5.")
    ] = ExplainOptions.tile_overlap,
    top_k: Annotated[int, typer.Option("--top-k", help="Classes to list in the prediction, 0 for all.")] = 5,
    arrays: Annotated[bool, typer.Option("--arrays", help="Write explanation.npz too.")] = False,
    second_opinion: SecondOpinion = True,
    dicom: Annotated[
        list[str] | None,
        typer.Option(
            "--dicom",
            help=f"Of a DICOM image, write {' or '.join(OBJECTS)}, for its study; or, to --store, report; repeatable.",
        ),
    ] = None,
    dicomweb: ArchivedImage = None,
    store: StoreThere = False,
    page: PageNumber = None,
    pages: PageNumbers = None,
    frame: FrameNumber = None,
    frames: FrameNumbers = None,
    window: LevelWindow = None,
    region: RegionBox = None,
    report: Annotated[
        list[Path] | None,
        typer.Option("--report", help="File for a report, .html, .pdf, or .dcm of a DICOM image; may be given again."),
    ] = None,
    models: ModelsFolder = None,
    device: DeviceName = None,
    server: ServerAddress = None,
) -> None:
    """Explain each image: what would make it more, or less, of a class.

    Examples: aex explain examples/cat-0.png --out out    aex explain scan.jpg --target all --rho 0.05 --out out

    Why not the other class: aex explain scan.jpg --target runner_up --against predicted --out out

    How it grows with the size: aex explain scan.jpg --sweep 8 --out out

    A large scan in tiles: aex explain scan.jpg --tile 256 --tile-overlap 0.25 --picture-side 4096 --out out

    With a report to file: aex explain scan.jpg --out out --report scan.pdf

    Of an archive, and back into it: aex explain --dicomweb STUDY/SERIES/INSTANCE --dicom report --store --out out

    Beside other methods, and how good each map is: aex explain scan.jpg --methods gradcam,occlusion --quality --out out

    One page, one slice through a window of its own, a part of a picture:

    aex explain scan.pdf --page 2 --out out    aex explain ct.zip --frame 40 --window -600,1500 --out out
    aex explain x-ray.dcm --region 300,200,512,512 --out out

    Every page, a folder each (a broken one is said, and the others go on): aex explain scan.pdf --pages all --out out

    With several images each gets a folder of its own in --out, named after its file, and a report of its own, with
    that name in its file's; sheet.png shows them together, unless a server was asked (--server).
    """
    reports = check_reports(report or [])
    several = read_parts(pages, frames, page, frame)
    address = read_source(images, dicomweb, store=store)
    if several is not None and address is not None:
        raise OptionError("--pages and --frames are of files; of an image of the archive, name one --frame.")
    options = ExplainOptions(
        model=model,
        targets=tuple(target or ("predicted", "runner_up")),
        against=against,
        direction=direction,  # type: ignore[arg-type]  # checked by the options
        method=method,  # type: ignore[arg-type]  # checked by the options
        rho=rho,
        sweep=_sweep(sweep),
        steps=steps,
        methods=ExplainOptions.methods if methods is None else tuple(methods.split(",")),
        quality=quality,
        judge=judge,
        heatmap=heatmap,  # type: ignore[arg-type]  # checked by the options
        overlay=overlay,  # type: ignore[arg-type]  # checked by the options
        color_map=color_map,
        scale=_scale(scale),
        include=(
            *ExplainOptions.include,
            *(OF_A_SWEEP if sweep is not None else ()),
            *(("arrays",) if arrays else ()),
            *dict.fromkeys(dicom or ()),
        ),
        picture_side=picture_side,
        tile=_tile(tile),
        tile_overlap=tile_overlap,
        top_k=top_k,
        second_opinion=second_opinion,
        page=page,
        frame=frame,
        window=read_window(window),
        region=read_region(region),
        store=store,
    )
    images = images or [ARCHIVED]
    folders = _folders(images, out)
    rows: list[SheetRow] = []
    making = (
        explaining_here(options, models, device, images=len(images), address=address)
        if server is None
        else explaining_there(server, models, device, address=address)
    )
    parts = PartByPart(several, read_settings(models, device).decode_limits())
    count = 0
    with making as make:
        for part in parts.each(images, "explaining") if address is None else [ImagePart(ARCHIVED, b"")]:
            made = parts.attempted(part, partial(make, part.path, part.data, part.options(options)))
            if made is None:
                continue
            count += 1
            folder = part.folder(folders[part.path])
            _write(made, folder)
            for file in reports:
                apart = "-".join([file.stem, *folder.relative_to(out).parts])
                file.with_stem(apart).write_bytes(made.report(kind_of(file)))
            console.print(_table(part.title, made.answer))
            print_part_used(made.answer, options.region)
            print_second_opinion(made.answer)
            if quality:
                print_quality(made.answer)
            require_stored(made.answer)
            if made.sheet_row is not None and len(rows) < MAX_SHEET_ROWS:
                rows.append(made.sheet_row())
    said = f"written to {out}"
    if rows:
        sheet = out / "sheet.png"
        sheet.write_bytes(draw_sheet(rows).png)
        said += f"; {sheet} shows {'all' if len(rows) == count else len(rows)}"
    console.print(said)


def _sweep(text: str | None) -> int | tuple[float, ...] | None:
    try:
        return None if text is None else sizes(text)
    except ValueError:
        raise OptionError(
            f"sweep is {text!r}; it is a number of sizes, or the sizes, such as 0.01,0.02,0.05."
        ) from None


def _tile(text: str | None) -> int | Literal["input"] | None:
    if text is None:
        return None
    if text == "input":
        return "input"
    try:
        return int(text)
    except ValueError:
        raise OptionError(f"tile is {text!r}; it is a whole number of pixels, or input.") from None


def _scale(text: str | None) -> float | Literal["auto"] | None:
    if text is None:
        return None
    if text == "auto":
        return "auto"
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"scale is {text!r}; it is a pixel level above 0 and at most 1, or auto.") from None


def _folders(images: list[Path], out: Path) -> dict[Path, Path]:
    """Where each image's files go; images of one name are told apart by a number."""
    if len(images) == 1:
        return {images[0]: out}
    folders: dict[Path, Path] = {}
    for path in images:
        number, folder = 2, out / path.stem
        while folder in folders.values():
            folder, number = out / f"{path.stem}-{number}", number + 1
        folders[path] = folder
    return folders


def _write(made: Made, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in made.files.items():
        (folder / name).write_bytes(content)
    (folder / RESULT).write_text(json.dumps(made.answer, indent=2) + "\n")


def _table(title: str, answer: Mapping[str, Any]) -> Table:
    table = Table("target", "role", "before", "after", "RMS", "L2", "prediction", title=title)
    for one in answer["explanations"]:
        becomes = one["changed_class_to"]
        table.add_row(
            one["target"],
            one["role"],
            f"{one['probability_before']:.3f}",
            f"{one['probability_after']:.3f}",
            f"{one['perturbation_rms']:.4f}",
            f"{one['perturbation_l2']:.3f}",
            f"becomes {becomes}" if becomes else f"stays {answer['prediction']['class']}",
        )
    return table
