"""aex predict."""

import json
from typing import Annotated

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
    console,
    each_image,
    naming,
    open_explainer,
    read_window,
)
from app.engine.token import WorkToken
from app.service.options import PredictOptions
from app.service.results import PredictResult
from app.web.schemas import prediction_answer


def predict(
    images: ImagePaths,
    model: ModelName = None,
    top_k: Annotated[int, typer.Option("--top-k", help="Classes to list, 0 for all.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    page: PageNumber = None,
    frame: FrameNumber = None,
    window: LevelWindow = None,
    models: ModelsFolder = None,
    device: DeviceName = None,
) -> None:
    """Classes and probabilities of each image.

    Examples: aex predict examples/cat-0.png    aex predict --top-k 0 --json scans/*.jpg
    """
    options = PredictOptions(model=model, top_k=top_k, page=page, frame=frame, window=read_window(window))
    with open_explainer(model, models, device, images=len(images)) as explainer:
        for path, data in each_image(images, "predicting"):
            with naming(path):
                result = explainer.predict(data, options, WorkToken())
            if as_json:
                print(json.dumps({"file": str(path), **prediction_answer(result)}))  # noqa: T201 - the answer itself
            else:
                console.print(_table(str(path), result))
                if result.in_distribution is not None and result.in_distribution.verdict == "outside":
                    console.print(result.in_distribution.sentence)


def _table(title: str, result: PredictResult) -> Table:
    table = Table("class", "id", "probability", title=title)
    for entry in result.prediction.top:
        table.add_row(entry.name, str(entry.class_id), f"{entry.probability:.3f}")
    return table
