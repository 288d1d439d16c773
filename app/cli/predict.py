"""aex predict."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from app.cli.common import (
    DeviceName,
    FrameNumber,
    ImagePaths,
    LevelWindow,
    ModelName,
    ModelsFolder,
    PageNumber,
    RegionBox,
    SecondOpinion,
    console,
    open_explainer,
    print_second_opinion,
    read_region,
    read_settings,
    read_window,
)
from app.cli.parts import FrameNumbers, ImagePart, PageNumbers, PartByPart, part_used, print_part_used, read_parts
from app.cli.remote import ServerAddress, as_error, asking, given
from app.client import ClientError
from app.engine.token import WorkToken
from app.service.options import PredictOptions
from app.web.as_json import prediction_answer

_AnswerOf = Callable[[bytes, PredictOptions], Mapping[str, Any]]
"""The JSON of a prediction of an image, or of the part of it that the options name."""


def predict(
    images: ImagePaths,
    model: ModelName = None,
    top_k: Annotated[int, typer.Option("--top-k", help="Classes to list, 0 for all.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    second_opinion: SecondOpinion = True,
    page: PageNumber = None,
    pages: PageNumbers = None,
    frame: FrameNumber = None,
    frames: FrameNumbers = None,
    window: LevelWindow = None,
    region: RegionBox = None,
    models: ModelsFolder = None,
    device: DeviceName = None,
    server: ServerAddress = None,
) -> None:
    """Classes and probabilities of each image.

    Examples: aex predict examples/cat-0.png    aex predict --top-k 0 --json scans/*.jpg

    Every page of a document, a line each: aex predict scan.pdf --pages all

    A slice through a window, a part of a picture:
    aex predict ct.zip --frame 40 --window -600,1500    aex predict x-ray.dcm --region 300,200,512,512

    By a running server: aex predict scan.jpg --server http://localhost:8000
    """
    several = read_parts(pages, frames, page, frame)
    options = PredictOptions(
        model=model,
        top_k=top_k,
        second_opinion=second_opinion,
        page=page,
        frame=frame,
        window=read_window(window),
        region=read_region(region),
    )
    predicting = (
        _predicting_here(model, models, device, images=len(images))
        if server is None
        else _predicting_there(server, models, device)
    )
    parts = PartByPart(several, read_settings(models, device).decode_limits())
    with predicting as answer_of:
        for part in parts.each(images, "predicting"):
            answer = parts.attempted(part, partial(answer_of, part.data, part.options(options)))
            if answer is None:
                continue
            if as_json:
                print(json.dumps({"file": str(part.path), **answer}))  # noqa: T201 - the answer itself
            elif part.number is not None:
                console.print(_line(part, answer, options), highlight=False, soft_wrap=True)
            else:
                _show(part.title, answer, options)


def _show(title: str, answer: Mapping[str, Any], options: PredictOptions) -> None:
    console.print(_table(title, answer))
    print_part_used(answer, options.region)
    print_second_opinion(answer)
    known = answer["in_distribution"]
    if known is not None and known["verdict"] == "outside":
        console.print(known["sentence"])


def _line(part: ImagePart, answer: Mapping[str, Any], options: PredictOptions) -> str:
    best = answer["prediction"]
    used, second = part_used(answer["image"], options.region), answer["second_opinion"]
    said = f"{part.path}: {best['class']} {best['probability']:.3f}" + (f" ({used})" if used else "")
    if second is None or second["agrees"]:
        return said
    return f"{said}; second opinion: {second['prediction']['class']} {second['prediction']['probability']:.3f}"


@contextmanager
def _predicting_here(model: str | None, models: Path | None, device: str | None, *, images: int) -> Iterator[_AnswerOf]:
    with open_explainer(model, models, device, images=images) as explainer:
        yield lambda data, options: prediction_answer(explainer.predict(data, options, WorkToken()))


@contextmanager
def _predicting_there(server: str, models: Path | None, device: str | None) -> Iterator[_AnswerOf]:
    with asking(server, models, device) as client:

        def answer_of(data: bytes, options: PredictOptions) -> Mapping[str, Any]:
            try:
                return client.predict(data, **given(options)).json
            except ClientError as error:
                raise as_error(error) from error  # here, so that it is said of which image

        yield answer_of


def _table(title: str, answer: Mapping[str, Any]) -> Table:
    table = Table("class", "id", "probability", title=title)
    for entry in answer["prediction"]["top"]:
        table.add_row(entry["class"], str(entry["class_id"]), f"{entry['probability']:.3f}")
    return table
