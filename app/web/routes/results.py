"""GET and DELETE of /v1/explanations/{id}: one that is done, while it is kept; its pictures, and its report."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.service.results.explanation import Record
from app.web.answers import RESULT_TYPES, dicom_report, explanation_response, html_report, pdf_report, picture_response
from app.web.caching import cacheable
from app.web.media_types import DICOM, HTML, PDF, PNG
from app.web.negotiation import negotiate
from app.web.openapi import FILES, problems
from app.web.parts import Parts, PartsHere
from app.web.schemas.explanation import ExplanationAnswer

router = APIRouter(tags=["explanations"])

_UNCHANGED: Mapping[int | str, dict[str, Any]] = {
    304: {"description": "The client has it already: its If-None-Match names the ETag"}
}
_FIND = problems("unknown-explanation", "explanation-gone")
_PICTURE: Mapping[int | str, dict[str, Any]] = {200: {"content": {PNG: FILES[PNG]}}, **_UNCHANGED}


@router.get(
    "/v1/explanations/{explanation_id}",
    summary="An explanation again, while it is kept",
    response_model=ExplanationAnswer,
    responses={
        200: {"description": "As it was answered first", "content": FILES},
        **_UNCHANGED,
        **problems("unknown-explanation", "unknown-picture", "explanation-gone", "not-acceptable"),
    },
)
async def show(explanation_id: str, request: Request, parts: PartsHere) -> Response:
    """The same answer again, for as long as its `kept_until` says unless others need the room."""
    media_type = negotiate(request.headers, RESULT_TYPES)
    return await _found(
        parts, explanation_id, request, lambda record: explanation_response(record, media_type, parts.reporter)
    )


@router.get(
    "/v1/explanations/{explanation_id}/report.html",
    summary="The report of an explanation, to read, while it is kept",
    response_class=Response,
    responses={200: {"content": {HTML: FILES[HTML]}}, **_UNCHANGED, **_FIND},
)
async def show_html_report(explanation_id: str, request: Request, parts: PartsHere) -> Response:
    """In words and pictures, with model, parameters and limits: one file that needs nothing else."""
    return await _found(parts, explanation_id, request, lambda record: html_report(record, parts.reporter))


@router.get(
    "/v1/explanations/{explanation_id}/report.pdf",
    summary="The report of an explanation, to file, while it is kept",
    response_class=Response,
    responses={200: {"content": {PDF: FILES[PDF]}}, **_UNCHANGED, **_FIND},
)
async def show_pdf_report(explanation_id: str, request: Request, parts: PartsHere) -> Response:
    """The same as `report.html`, on A4."""
    return await _found(parts, explanation_id, request, lambda record: pdf_report(record, parts.reporter))


@router.get(
    "/v1/explanations/{explanation_id}/report.dcm",
    summary="The report of a DICOM image's explanation, for its study, while it is kept",
    response_class=Response,
    responses={200: {"content": {DICOM: FILES[DICOM]}}, **_UNCHANGED, **_FIND, **problems("no-such-part")},
)
async def show_dicom_report(explanation_id: str, request: Request, parts: PartsHere) -> Response:
    """`report.pdf` as an Encapsulated PDF, in the patient's study."""
    return await _found(parts, explanation_id, request, lambda record: dicom_report(record, parts.reporter))


@router.get(
    "/v1/explanations/{explanation_id}/image.png",
    summary="The image that was explained, while it is kept",
    response_class=Response,
    responses={**_PICTURE, **_FIND},
)
async def show_image(explanation_id: str, request: Request, parts: PartsHere) -> Response:
    """What was uploaded, as it was decoded and turned upright."""
    explainer = parts.explainer
    return await _found(
        parts, explanation_id, request, lambda record: Response(explainer.image_of(record), media_type=PNG)
    )


@router.get(
    "/v1/explanations/{explanation_id}/{picture}/{target}.png",
    summary="A picture of an explanation, while it is kept",
    response_class=Response,
    responses={**_PICTURE, **problems("unknown-explanation", "unknown-picture", "explanation-gone")},
)
async def show_picture(explanation_id: str, picture: str, target: str, request: Request, parts: PartsHere) -> Response:
    """One target's heatmap, perturbation or explained picture; the target by its name or its id."""
    return await _found(parts, explanation_id, request, lambda record: picture_response(record.result, picture, target))


@router.delete(
    "/v1/explanations/{explanation_id}",
    summary="Cancel an explanation that is worked on, or forget one that is kept",
    status_code=204,
    responses=_FIND,
)
async def delete(explanation_id: str, parts: PartsHere) -> None:
    """End an explanation by the id in its event `started`: the device leaves it within a step, its stream says so.

    One that is done is forgotten with its image and its pictures.
    """
    parts.explainer.delete(explanation_id)


async def _found(parts: Parts, explanation_id: str, request: Request, write: Callable[[Record], Response]) -> Response:
    """Find a record and write it, in a thread."""

    def answer() -> Response:
        record = parts.explainer.find(explanation_id)
        return cacheable(request, write(record), record.result.kept_until)

    return await parts.workers.run(answer)
