"""POST /v1/explanations."""

from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.service.progress import Mailbox
from app.service.results.explanation import Record
from app.web.answers import EXPLANATION_TYPES, explanation_json, explanation_response, require_sendable
from app.web.events import EVENTS_DESCRIPTION
from app.web.media_types import EVENTS
from app.web.middleware import request_id_of
from app.web.negotiation import negotiate
from app.web.openapi import FILES, IMAGE_PROBLEMS, request_description
from app.web.options.explanations import EXPLAIN
from app.web.options.image import SEVERAL
from app.web.options.read import explain_options, parts_asked
from app.web.parts import PartsHere
from app.web.schemas.explanation import ExplanationAnswer
from app.web.several import SEVERAL_TYPES, SeveralExplanations, explanations_response, require_not_stored
from app.web.stream import stream

router = APIRouter(tags=["explanations"])

_EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "what would make it more of what it was read as": {"targets": ["predicted"], "steps": 10},
    "what would make it less of it, and of the runner-up": {
        "targets": ["predicted", "runner_up"],
        "direction": "discourage",
    },
    "why it was not read as the runner-up": {"targets": ["runner_up"], "against": "predicted"},
    "every class side by side, on one picture": {"targets": ["all"], "steps": 4, "include": ["sheet"]},
    "the smallest change to any other class, and to the runner-up; and how much the prediction withstands": {
        "method": "counterfactual",
        "margin": True,
    },
    "how good the maps of several methods are, and what they cost": {
        "targets": ["predicted"],
        "methods": ["adversarial", "gradient", "gradcam"],
        "quality": True,
        "second_opinion": False,
    },
    "in other colours, and with every class of the prediction": {"color_map": "RdBu", "top_k": 0, "seed": 1},
    "a region in two tiles, whose maps are joined, drawn small": {
        "targets": ["predicted"],
        "region": [0, 0, 24, 32],
        "tile": 24,
        "tile_overlap": 0.25,
        "steps": 4,
        "picture_side": 16,
    },
    "every class, as far as it comes in two seconds": {"targets": ["all"], "timeout_ms": 2000, "partial": True},
    "how it grows with the size of the change: numbers, a film strip, a film and a curve": {
        "targets": ["predicted"],
        "sweep": 2,
        "include": ["film_strip", "animation", "curve", "sweep"],
    },
    "two frames of a DICOM file, in numbers and heatmaps": {
        "image": "example.dcm",
        "frames": "1-2",
        "targets": ["predicted"],
        "steps": 4,
        "include": ["heatmap"],
    },
    "every page of a PDF, by heatmaps of what each is read as": {
        "image": "example.pdf",
        "pages": "all",
        "targets": ["predicted"],
        "steps": 4,
        "include": ["heatmap"],
    },
    "at sizes of one's own, in numbers alone": {
        "targets": ["runner_up"],
        "sweep": [0.01, 0.05],
        "rho": 0.05,
        "include": ["heatmap"],
    },
    "a class by its id, heatmap alone, with arrays": {
        "targets": [0],
        "rho": 0.05,
        "steps": 10,
        "heatmap": "magnitude",
        "overlay": "grayscale",
        "scale": "auto",
        "include": ["heatmap", "arrays"],
    },
}
_ANSWERS = {
    "description": "The explanation, as Accept asks",
    "content": {**FILES, EVENTS: EVENTS_DESCRIPTION},
}


@router.post(
    "/v1/explanations",
    summary="Prediction and explanations of one image",
    response_model=ExplanationAnswer | SeveralExplanations,
    responses={200: _ANSWERS, **IMAGE_PROBLEMS},
    openapi_extra=request_description((*EXPLAIN, *SEVERAL), _EXAMPLES),
)
async def explain(request: Request, parts: PartsHere) -> Response:
    """Classify one image and explain each target: a heatmap, the change, and the changed image.

    Of several pages or frames (`pages`, `frames`) the answer is a list, as JSON, a form or a zip.
    """
    media_type = negotiate(request.headers, EXPLANATION_TYPES)
    asked = await parts.read(request)
    several, given = parts_asked(asked.options)
    options = explain_options(given)
    if several is not None:
        media_type = negotiate(request.headers, SEVERAL_TYPES)
        require_not_stored(options)
    require_sendable(options, media_type)
    parts.archiving.require_storable(options, asked.address)
    token = parts.token(options)
    image = await parts.image(request, asked, token)
    if several is not None:
        found = partial(parts.several.explain, image, several, options, token)
        request_id = request_id_of(request.scope)
        return await parts.workers.run_while_wanted(
            request, token, lambda: explanations_response(found(), media_type, request_id)
        )

    def record(mailbox: Mailbox | None = None) -> Record:
        return parts.archiving.record(parts.explainer, image, asked.address, options, token, mailbox)

    if media_type == EVENTS:
        return await stream(
            request,
            parts.workers,
            token,
            lambda mailbox: explanation_json(record(mailbox).result),
        )
    return await parts.workers.run_while_wanted(
        request,
        token,
        lambda: explanation_response(record(), media_type, parts.reporter),
    )
