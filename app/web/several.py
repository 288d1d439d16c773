"""Answers about several pages or frames of one file: a list, in which each is as it would be by itself.

They come from the routes of one image, asked by an option, and not from a route of their own: whoever has asked for one
page asks for all of them by one more word, and reads each entry as before. Without the option nothing changes.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, Field
from starlette.responses import Response

from app.errors import OptionError
from app.service.options import ExplainOptions
from app.service.results.explanation import Record
from app.service.results.facts import PredictResult
from app.service.several import OfPart
from app.web.answers import form_response, json_bytes, zip_response
from app.web.as_json import explanation_answer, prediction_answer
from app.web.file_names import RESULT, NamedFile, files_of
from app.web.media_types import FORM, JSON, ZIP
from app.web.problems import Problem, response_for
from app.web.schemas.explanation import ExplanationAnswer
from app.web.schemas.facts import PredictionAnswer

SEVERAL_TYPES = (JSON, FORM, ZIP)
ARCHIVE = "explanations.zip"

Result = TypeVar("Result")
_PAGE = Field(default=None, description="its number, where pages were asked for")
_FRAME = Field(default=None, description="its number, where frames were asked for")


class PartProblem(BaseModel):
    """A page or frame that could not be answered, and why."""

    page: int | None = _PAGE
    frame: int | None = _FRAME
    problem: Problem


class PartPrediction(PredictionAnswer):
    """The answer about one page or frame."""

    page: int | None = _PAGE
    frame: int | None = _FRAME


class PartExplanation(ExplanationAnswer):
    """The answer about one page or frame."""

    page: int | None = _PAGE
    frame: int | None = _FRAME


class SeveralPredictions(BaseModel):
    """Where pages or frames were asked for: one of the two lists, in the order asked for."""

    pages: list[PartPrediction | PartProblem] | None = None
    frames: list[PartPrediction | PartProblem] | None = None


class SeveralExplanations(BaseModel):
    """Where pages or frames were asked for: one of the two lists, in the order asked for."""

    pages: list[PartExplanation | PartProblem] | None = None
    frames: list[PartExplanation | PartProblem] | None = None


def require_not_stored(options: ExplainOptions) -> None:
    """Raise `OptionError` where objects are to be stored: half a series in an archive is worse than none."""
    if options.store:
        raise OptionError("store is of one image; leave out frames, and ask for one frame after the other.")


def predictions_response(found: Sequence[OfPart[PredictResult]], request_id: str) -> Response:
    """The predictions as JSON."""
    return Response(_listed(found, lambda one, _: prediction_answer(one), request_id), media_type=JSON)


def explanations_response(found: Sequence[OfPart[Record]], media_type: str, request_id: str) -> Response:
    """The explanations as one of `SEVERAL_TYPES`; files are named by their page, such as page-3-heatmap-5-dog.png."""
    if media_type == JSON:
        response = Response(_listed(found, _within, request_id), media_type=JSON)
    elif media_type == FORM:
        response = form_response(_files(found, request_id))
    else:
        response = zip_response(_files(found, request_id), ARCHIVE)
    response.headers["Vary"] = "Accept"
    return response


def _within(record: Record, _: str) -> Mapping[str, Any]:
    return explanation_answer(record.result)


def _beside(record: Record, stem: str) -> Mapping[str, Any]:
    named: Mapping[str, Any] = _renamed(explanation_answer(record.result, embed=False), stem)
    return named


def _listed(
    found: Sequence[OfPart[Result]], answer: Callable[[Result, str], Mapping[str, Any]], request_id: str
) -> bytes:
    """The JSON of all, made entry by entry: as values, all their pictures would be in memory once more.

    `answer` is told the stem of the part's files, too.
    """
    entries = b", ".join(json_bytes({one.kind: one.number, **_said(one, answer, request_id)}) for one in found)
    return b'{"%ss": [%s]}' % (found[0].kind.encode(), entries)


def _said(
    one: OfPart[Result], answer: Callable[[Result, str], Mapping[str, Any]], request_id: str
) -> Mapping[str, Any]:
    if one.error is not None:
        return {"problem": json.loads(bytes(response_for(one.error, request_id).body))}
    return {} if one.result is None else answer(one.result, _stem(one))


def _files(found: Sequence[OfPart[Record]], request_id: str) -> Iterator[NamedFile]:
    """The JSON, then what it names."""
    yield NamedFile(RESULT, JSON, _listed(found, _beside, request_id))
    for one in found:
        for file in () if one.result is None else files_of(one.result.result):
            yield NamedFile(f"{_stem(one)}-{file.name}", file.media_type, file.content)


def _stem(one: OfPart[Result]) -> str:
    return f"{one.kind}-{one.number}"


def _renamed(value: Any, stem: str) -> Any:  # noqa: ANN401 - any JSON
    """The same JSON, with the stem before the name of each file."""
    if isinstance(value, list):
        return [_renamed(entry, stem) for entry in value]
    if not isinstance(value, dict):
        return value
    renamed = {name: _renamed(entry, stem) for name, entry in value.items()}
    return {**renamed, "file": f"{stem}-{value['file']}"} if isinstance(value.get("file"), str) else renamed
