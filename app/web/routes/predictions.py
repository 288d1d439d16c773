"""POST /v1/predictions."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.web.answers import prediction_response
from app.web.media_types import JSON
from app.web.negotiation import negotiate
from app.web.openapi import IMAGE_PROBLEMS, request_description
from app.web.options import PREDICT, predict_options
from app.web.parts import PartsHere
from app.web.schemas import PredictionAnswer

router = APIRouter(tags=["predictions"])

_EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "the most probable classes": {},
    "every class": {"top_k": 0},
    "without asking the model's twin": {"second_opinion": False},
}


@router.post(
    "/v1/predictions",
    summary="Classes and probabilities of one image",
    response_model=PredictionAnswer,
    responses=IMAGE_PROBLEMS,
    openapi_extra=request_description(PREDICT, _EXAMPLES),
)
async def predict(request: Request, parts: PartsHere) -> Response:
    """Classify one image."""
    negotiate(request.headers, (JSON,))
    asked = await parts.read(request)
    options = predict_options(asked.options)
    token = parts.token(options)
    image = await parts.image(request, asked, token)
    return await parts.workers.run_while_wanted(
        request, token, lambda: prediction_response(parts.explainer.predict(image, options, token))
    )
