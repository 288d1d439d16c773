"""POST /v1/predictions."""

from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.web.answers import prediction_response
from app.web.media_types import JSON
from app.web.middleware import request_id_of
from app.web.negotiation import negotiate
from app.web.openapi import IMAGE_PROBLEMS, request_description
from app.web.options.image import SEVERAL
from app.web.options.predictions import PREDICT
from app.web.options.read import parts_asked, predict_options
from app.web.parts import PartsHere
from app.web.schemas.facts import PredictionAnswer
from app.web.several import SeveralPredictions, predictions_response

router = APIRouter(tags=["predictions"])

_EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "the most probable classes": {},
    "every class": {"top_k": 0},
    "without asking the model's twin": {"second_opinion": False},
    "every page of a PDF": {"image": "example.pdf", "pages": "all", "top_k": 1},
    "two frames of a DICOM file": {"image": "example.dcm", "frames": [1, 2], "top_k": 1},
}


@router.post(
    "/v1/predictions",
    summary="Classes and probabilities of one image",
    response_model=PredictionAnswer | SeveralPredictions,
    responses=IMAGE_PROBLEMS,
    openapi_extra=request_description((*PREDICT, *SEVERAL), _EXAMPLES),
)
async def predict(request: Request, parts: PartsHere) -> Response:
    """Classify one image, or each of several pages or frames of a file."""
    negotiate(request.headers, (JSON,))
    asked = await parts.read(request)
    several, given = parts_asked(asked.options)
    options = predict_options(given)
    token = parts.token(options)
    image = await parts.image(request, asked, token)
    if several is not None:
        found = partial(parts.several.predict, image, several, options, token)
        request_id = request_id_of(request.scope)
        return await parts.workers.run_while_wanted(request, token, lambda: predictions_response(found(), request_id))
    return await parts.workers.run_while_wanted(
        request, token, lambda: prediction_response(parts.explainer.predict(image, options, token))
    )
