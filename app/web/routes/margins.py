"""POST /v1/margins."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.web.answers import margin_response
from app.web.media_types import JSON
from app.web.negotiation import negotiate
from app.web.openapi import IMAGE_PROBLEMS, request_description
from app.web.options.margins import MARGIN
from app.web.options.read import margin_options
from app.web.parts import PartsHere
from app.web.schemas.margin import MarginAnswer

router = APIRouter(tags=["margins"])

_EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "the smallest changes that are found": {},
    "looked for twice more, and a radius certified": {"restarts": 2, "certificate": True, "sigma": 0.05, "draws": 200},
    "a certificate that is wrong for one image in a hundred at the most, drawn anew; and every class": {
        "certificate": True,
        "draws": 200,
        "alpha": 0.01,
        "seed": 1,
        "top_k": 0,
        "second_opinion": False,
    },
}


@router.post(
    "/v1/margins",
    summary="How much change flips one image",
    response_model=MarginAnswer,
    responses=IMAGE_PROBLEMS,
    openapi_extra=request_description(MARGIN, _EXAMPLES),
)
async def margin(request: Request, parts: PartsHere) -> Response:
    """Find the smallest changes that take the prediction of one image away; on request, certify a radius."""
    negotiate(request.headers, (JSON,))
    asked = await parts.read(request)
    options = margin_options(asked.options)
    token = parts.token(options)
    image = await parts.image(request, asked, token)
    return await parts.workers.run_while_wanted(
        request, token, lambda: margin_response(parts.explainer.margin(image, options, token))
    )
