"""Answers that a browser may keep: they never change while they last (RFC 9110, 8.8; RFC 9111, 5.2)."""

import hashlib
import re
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from app.web.pieces import chunks_of

_KEPT_HEADERS = {"etag", "cache-control", "content-location", "vary"}  # of an answer that is not sent again
_TAG = re.compile(r'(?:W/)?("[^"]*")')


def cacheable(request: Request, response: Response, until: datetime | None) -> Response:
    """The response with its tag, or 304 without a body where the client has it already.

    By the client alone (`private`): what stands between has no business with uploads.

    Args:
        request: whose If-None-Match is looked at.
        response: with its whole body.
        until: when it is gone.
    """
    digest = hashlib.sha256()
    for chunk in chunks_of(response):
        digest.update(chunk)
    tag = f'"{digest.hexdigest()[:32]}"'
    seconds = 0 if until is None else max(0, int((until - datetime.now(UTC)).total_seconds()))
    response.headers["ETag"], response.headers["Cache-Control"] = tag, f"private, max-age={seconds}, immutable"
    known = request.headers.get("if-none-match", "")
    if known.strip() == "*" or tag in _TAG.findall(known):
        kept = {name: value for name, value in response.headers.items() if name in _KEPT_HEADERS}
        return Response(status_code=304, headers=kept)
    return response
