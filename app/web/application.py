"""The FastAPI application: routes, what surrounds them, and how errors are answered."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from app.errors import AexError, Cancelled
from app.web.metrics import Metrics
from app.web.middleware import BodyBound, RequestFrame, request_id_of
from app.web.openapi import ABOUT, STATIC, describe_api
from app.web.problems import (
    INTERNAL,
    INVALID_OPTION,
    MALFORMED_REQUEST,
    METHOD_NOT_ALLOWED,
    NO_SUCH_RESOURCE,
    kind_of,
    problem_response,
    response_for,
)
from app.web.routes import audits, explanations, health, margins, metrics, models, pages, predictions, results

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

OPTION_BYTES = 65_536
"""What a body may have beside its image."""

_HTTP_KINDS = {
    404: (NO_SUCH_RESOURCE, "Nothing is served at this path; /docs lists what is."),
    405: (METHOD_NOT_ALLOWED, "This path does not take this method; /docs lists those it takes."),
}


def build_app(
    version: str,
    lifespan: Lifespan,
    numbers: Metrics,
    *,
    max_upload_bytes: int,
    max_upload_seconds: float,
    max_uploads: int,
) -> FastAPI:
    """The application; `lifespan` sets `app.state.parts` to a `Parts` before the first request.

    Args:
        version: of the API's description.
        lifespan: around the time of serving.
        numbers: count each request.
        max_upload_bytes: of an image.
        max_upload_seconds: for a body to arrive.
        max_uploads: bodies of the largest size that may be held in memory at once.
    """
    max_body_bytes = -(-4 * max_upload_bytes // 3) + OPTION_BYTES  # base64 makes an image a third longer
    app = FastAPI(
        title="Adversarial explanations",
        version=version,
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=lifespan,
        middleware=[
            Middleware(RequestFrame, count=numbers.count_request),
            Middleware(
                BodyBound,
                max_bytes=max_body_bytes,
                max_seconds=max_upload_seconds,
                max_held_bytes=max_uploads * max_body_bytes,
            ),
        ],
    )
    for resource in (predictions, explanations, results, margins, audits, models, health, metrics, pages):
        app.include_router(resource.router)
    # The scripts and styles of the API page come from a package that holds them: hospitals have no internet.
    app.mount("/page", StaticFiles(directory=STATIC / "page"))
    app.mount("/docs/assets", StaticFiles(packages=[("fastapi_offline", "static")]))
    app.add_exception_handler(AexError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_http_error)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_exception_handler(ClientDisconnect, _answer_disconnect)
    describe_api(app)
    return app


async def _answer_error(request: Request, error: Exception) -> Response:
    if kind_of(error) is INTERNAL:
        raise error  # ours: `RequestFrame` logs it
    return response_for(error, request_id_of(request.scope))


async def _answer_disconnect(request: Request, _: Exception) -> Response:
    return response_for(
        Cancelled("The client went away before its request was complete."), request_id_of(request.scope)
    )


async def _answer_validation_error(request: Request, _: Exception) -> Response:
    detail = "A parameter of the path or query cannot be read; /docs describes them."
    return problem_response(INVALID_OPTION, detail, request_id_of(request.scope))


async def _answer_http_error(request: Request, error: Exception) -> Response:
    """Errors that the framework raises; a 404 or 405 keeps its headers, of which Allow is one."""
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    other = (MALFORMED_REQUEST if status < 500 else INTERNAL, "The request cannot be answered.")
    kind, detail = _HTTP_KINDS.get(status, other)
    return problem_response(kind, detail, request_id_of(request.scope), headers)
