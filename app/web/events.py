"""Server-sent events (HTML standard, 9.2): what is told of a running explanation, and the form in which it is sent."""

import json
from collections.abc import Sequence

from pydantic import BaseModel, Field

from app.service.progress import News, Started, TargetProgress, TargetsChosen
from app.web.as_json import facts_of, in_base64, prediction_field
from app.web.media_types import PNG
from app.web.pieces import Piece
from app.web.schemas.facts import Image, Model, Prediction

KEEP_ALIVE = b": nothing new\n\n"
"""A comment, which clients pass over and proxies take for a sign of life."""

EVENTS_DESCRIPTION = {
    "schema": {
        "type": "string",
        "description": "Server-sent events, each with JSON in one line: started; targets; progress, again and again,"
        " with each target's latest state; at last result, the answer as of application/json, or problem, the answer as"
        " of application/problem+json. The status is decided before the first of them.",
    },
    "example": """event: started
id: 1
data: {"id": "01JDB6K2N8Q0X5V3T7YH4R9WZC", "created": "2026-11-22T10:00:00.000Z", "model": {…}, "image": {…}}

event: targets
id: 2
data: {"prediction": {…}, "targets": [{"target": "cat", "target_id": 3, "role": "predicted"}]}

event: progress
id: 3
data: {"target": "cat", "target_id": 3, "step": 4, "steps": 8, "probability": 0.93, "picture": {"data": "…", …}}

event: result
id: 4
data: {"id": "01JDB6K2N8Q0X5V3T7YH4R9WZC", "explanations": […], …}

""",
}


class StartedEvent(BaseModel):
    """The request is inside, and its image was read."""

    id: str = Field(description="of the explanation, as its result will have it")
    created: str
    model: Model
    image: Image


class Target(BaseModel):
    """A class that is explained."""

    target: str
    target_id: int
    role: str = Field(description="predicted, runner_up or named")


class TargetsEvent(BaseModel):
    """What the image was read as, and what is explained."""

    prediction: Prediction
    targets: list[Target]


class ProgressPicture(BaseModel):
    """The image with its change so far, at the network's own size or shrunk."""

    media_type: str
    width: int
    height: int
    data: str = Field(description="base64")


class ProgressEvent(BaseModel):
    """One target's search so far."""

    target: str
    target_id: int
    step: int = Field(description="steps made")
    steps: int = Field(description="steps to be made at the most")
    probability: float = Field(description="of the target, for the picture")
    picture: ProgressPicture


def event(name: str, number: int, data: bytes) -> bytes:
    """One event; `data` is JSON in one line."""
    return b"event: %s\nid: %d\ndata: %s\n\n" % (name.encode("ascii"), number, data)


def event_around(name: str, number: int, data: Sequence[Piece]) -> list[Piece]:
    """The same of JSON in pieces."""
    head, tail = event(name, number, b"\0").split(b"\0")
    return [head, *data, tail]


def news_event(news: News, number: int) -> bytes:
    """The event that tells of this; its picture is drawn here, so it takes a moment."""
    name, answer = _described(news)
    return event(name, number, json.dumps(answer.model_dump(by_alias=True), allow_nan=False).encode("ascii"))


def _described(news: News) -> tuple[str, BaseModel]:
    match news:
        case Started():
            return "started", StartedEvent(**facts_of(news))
        case TargetsChosen(prediction=prediction, targets=targets):
            chosen = [Target(target=one.target, target_id=one.target_id, role=one.role) for one in targets]
            return "targets", TargetsEvent(prediction=prediction_field(prediction), targets=chosen)
        case TargetProgress():
            return "progress", _progress(news)


def _progress(news: TargetProgress) -> ProgressEvent:
    drawn = news.picture()
    return ProgressEvent(
        target=news.target.target,
        target_id=news.target.target_id,
        step=news.step,
        steps=news.steps,
        probability=news.probability,
        picture=ProgressPicture(media_type=PNG, width=drawn.width, height=drawn.height, data=in_base64(drawn.png)),
    )
