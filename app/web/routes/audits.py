"""POST /v1/audits."""

from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from app.web.answers import AUDIT_TYPES, audit_response
from app.web.media_types import FORM, ZIP
from app.web.negotiation import negotiate
from app.web.openapi import FILES, IMAGE_PROBLEMS, request_description
from app.web.options.audits import AUDIT
from app.web.options.read import audit_options
from app.web.parts import PartsHere
from app.web.schemas.audit import AuditAnswer

router = APIRouter(tags=["audits"])

_EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "can its explanations be moved while the class stays?": {"goals": ["move"], "steps": 20},
    "Grad-CAM alone, for either goal": {"methods": ["gradcam"], "steps": 20},
    "every method that is one gradient, by a larger change": {
        "methods": ["gradient", "gradcam"],
        "size_rms": 0.04,
        "steps": 20,
    },
    "from another random start, of the model alone, with every class": {
        "steps": 10,
        "seed": 1,
        "top_k": 0,
        "second_opinion": False,
    },
}
_ANSWERS = {"description": "The audit, as Accept asks", "content": {name: FILES[name] for name in (FORM, ZIP)}}


@router.post(
    "/v1/audits",
    summary="How far explanations of one image can be made to lie",
    response_model=AuditAnswer,
    responses={200: _ANSWERS, **IMAGE_PROBLEMS},
    openapi_extra=request_description(AUDIT, _EXAMPLES),
)
async def audit(request: Request, parts: PartsHere) -> Response:
    """Attack each method's explanation, of the model and of its plain twin: by a change too small to see."""
    media_type = negotiate(request.headers, AUDIT_TYPES)
    asked = await parts.read(request)
    options = audit_options(asked.options)
    token = parts.token(options)
    image = await parts.image(request, asked, token)
    return await parts.workers.run_while_wanted(
        request,
        token,
        lambda: audit_response(parts.explainer.audit(image, options, token), media_type),
    )
