"""GET /metrics."""

from fastapi import APIRouter
from starlette.responses import Response

from app.web.metrics import METRICS_TYPE
from app.web.parts import PartsHere

router = APIRouter(tags=["health"])

_EXAMPLE = 'aex_http_requests_total{route="/v1/explanations",status="200"} 12.0\n'


@router.get(
    "/metrics",
    summary="Numbers for operators",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}}}},
)
async def show_metrics(parts: PartsHere) -> Response:
    """Counts, times and the state of the engine since the start, as Prometheus reads them; each says what it is."""
    return Response(parts.metrics.text(), media_type=METRICS_TYPE)
