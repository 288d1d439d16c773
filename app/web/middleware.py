"""What happens around every request: its id, its log line, its headers, and a bound on its body."""

import asyncio
import re
import time
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars
from ulid import ULID

from app.errors import EngineFull, UploadTooLarge
from app.web.archiving import HOLD
from app.web.errors import UploadTooSlow
from app.web.logs import log, log_fault
from app.web.problems import response_for

REQUEST_ID = "X-Request-ID"
_SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    # The API pages set styles by attribute and hold their pictures as data; scripts come from here alone.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:;"
        " connect-src 'self'; font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


Count = Callable[[str, int, float], None]
"""Told of each request that ended: its route as declared, its status (0 where no answer began) and its seconds."""


class RequestFrame:
    """Gives each request an id, writes its log line, and turns what nobody expected into a problem with status 500."""

    def __init__(self, app: ASGIApp, count: Count) -> None:
        self.app = app
        self.count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        with bound_contextvars(request_id=request_id):  # also in the threads that work for it
            await self._answer(request_id, scope, receive, send)

    async def _answer(self, request_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.monotonic(), 0

        async def send_framed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID] = request_id
                for name, value in _SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self.app(scope, receive, send_framed)
        except Exception as error:  # noqa: BLE001 - the last resort: nothing of it may reach the client
            log_fault(error, request_id)
            if not status:
                await response_for(error, request_id)(scope, receive, send_framed)
        finally:
            route, seconds = _route(scope), time.monotonic() - began
            self.count(route, status, seconds)
            log.info("request", method=scope["method"], route=route, status=status, ms=round(1000 * seconds, 1))


class BodyBound:
    """Counts a body's bytes as they arrive, and its time, before anything is kept of them.

    Args:
        max_bytes: of the body; a longer Content-Length is refused before a byte is read.
        max_seconds: from its first to its last byte.
        max_held_bytes: of all bodies under way or being worked on, since they are kept in memory.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, max_seconds: float, max_held_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.max_seconds = max_seconds
        self.max_held_bytes = max_held_bytes
        self._held_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "")
        counted, complete, deadline = 0, False, time.monotonic() + self.max_seconds

        def hold(size_bytes: int) -> None:
            nonlocal counted
            counted += size_bytes
            self._held_bytes += size_bytes
            self._require_room()

        scope.setdefault("state", {})[HOLD] = hold

        async def receive_bounded() -> Message:
            nonlocal counted, complete
            if complete:  # what may still come is the news that the client has gone
                return await receive()
            self._require(int(length) if length.isdecimal() and len(length) < 20 else 0)
            message = await self._receive_in_time(receive, deadline)
            arrived = len(message.get("body", b""))
            counted += arrived
            self._held_bytes += arrived
            self._require(counted)
            complete = not message.get("more_body", False)
            return message

        try:
            await self.app(scope, receive_bounded, send)
        finally:
            self._held_bytes -= counted

    def _require(self, size_bytes: int) -> None:
        if size_bytes > self.max_bytes:
            raise UploadTooLarge(f"The body is too large; it may have {self.max_bytes} bytes, options counted.")
        self._require_room()

    def _require_room(self) -> None:
        if self._held_bytes > self.max_held_bytes:
            raise EngineFull(
                "The uploads under way fill the memory set aside for them; come again in a few seconds.", 5
            )

    async def _receive_in_time(self, receive: Receive, deadline: float) -> Message:
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                return await receive()
        except TimeoutError:
            raise UploadTooSlow(f"The body did not arrive within {self.max_seconds:g} s; send it faster.") from None


def request_id_of(scope: Scope) -> str:
    """The id that `RequestFrame` gave."""
    state: dict[str, Any] = scope["state"]
    return str(state["request_id"])


def _request_id(scope: Scope) -> str:
    """The client's own id if it is safe, else a new one that sorts by time."""
    given = Headers(scope=scope).get(REQUEST_ID, "")
    return given if _SAFE_ID.fullmatch(given) else str(ULID())


def _route(scope: Scope) -> str:
    """The route's path as declared; a path as sent might hold anything."""
    return str(getattr(scope.get("route"), "path", "none"))
