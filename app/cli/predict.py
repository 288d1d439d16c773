"""aex predict."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
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
    each_image,
    naming,
    open_explainer,
    print_second_opinion,
    read_region,
    read_window,
)
from app.cli.remote import ServerAddress, as_error, asking, given
from app.client import ClientError
from app.engine.token import WorkToken
from app.service.options import PredictOptions
from app.web.schemas import prediction_answer

_AnswerOf = Callable[[bytes], Mapping[str, Any]]
"""The JSON of a prediction."""


def predict(
    images: ImagePaths,
    model: ModelName = None,
    top_k: Annotated[int, typer.Option("--top-k", help="Classes to list, 0 for all.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    second_opinion: SecondOpinion = True,
    page: PageNumber = None,
    frame: FrameNumber = None,
    window: LevelWindow = None,
    region: RegionBox = None,
    models: ModelsFolder = None,
    device: DeviceName = None,
    server: ServerAddress = None,
) -> None:
    """Classes and probabilities of each image.

    Examples: aex predict examples/cat-0.png    aex predict --top-k 0 --json scans/*.jpg

    By a running server: aex predict scan.jpg --server http://localhost:8000
    """
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
        _predicting_here(options, models, device, images=len(images))
        if server is None
        else _predicting_there(server, options, models, device)
    )
    with predicting as answer_of:
        for path, data in each_image(images, "predicting"):
            with naming(path):
                answer = answer_of(data)
            if as_json:
                print(json.dumps({"file": str(path), **answer}))  # noqa: T201 - the answer itself
            else:
                console.print(_table(str(path), answer))
                print_second_opinion(answer)
                known = answer["in_distribution"]
                if known is not None and known["verdict"] == "outside":
                    console.print(known["sentence"])


@contextmanager
def _predicting_here(
    options: PredictOptions, models: Path | None, device: str | None, *, images: int
) -> Iterator[_AnswerOf]:
    with open_explainer(options.model, models, device, images=images) as explainer:
        yield lambda data: prediction_answer(explainer.predict(data, options, WorkToken()))


@contextmanager
def _predicting_there(
    server: str, options: PredictOptions, models: Path | None, device: str | None
) -> Iterator[_AnswerOf]:
    with asking(server, models, device) as client:

        def answer_of(data: bytes) -> Mapping[str, Any]:
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
