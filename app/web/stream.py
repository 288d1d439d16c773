"""An explanation as server-sent events: how it comes along, then its result, or the problem that it ended with.

The HTTP status is decided when the image was read and the request is inside: what is wrong before that is answered as
for any request. The explanation is worked on beside the stream, which looks for news now and then; a client that reads
slowly misses steps, and holds up nothing.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.engine.token import WorkToken
from app.service.progress import PROGRESS_SECONDS, Mailbox, News
from app.web.events import KEEP_ALIVE, event, event_around, news_event
from app.web.logs import log_fault
from app.web.media_types import EVENTS
from app.web.middleware import request_id_of
from app.web.pieces import Piece, chunks
from app.web.problems import INTERNAL, kind_of, response_for
from app.web.work import Workers

KEEP_ALIVE_SECONDS = 10.0


class EventStream(Response):
    """The answer.

    Args:
        workers: threads, to draw pictures in.
        work: gives the result as JSON in one line.
        mailbox: that the work tells.
        first: what was taken out of it already.
    """

    media_type = EVENTS

    def __init__(
        self, workers: Workers, work: asyncio.Task[list[Piece]], mailbox: Mailbox, first: Sequence[News]
    ) -> None:
        self.status_code, self.background = 200, None
        self._workers, self._work, self._mailbox, self._first = workers, work, mailbox, first
        self._events = 0
        self.init_headers({"X-Accel-Buffering": "no"})  # nginx would hold events back

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            await self._send_news(send)
        except asyncio.CancelledError:
            pass  # the server has waited long enough; what the work says to that is the last event
        finally:
            self._work.cancel()  # nothing, where it is done
        for chunk in chunks(await self._last_event(request_id_of(scope))):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_news(self, send: Send) -> None:
        """Send what the work tells until it is done."""
        news, done, quiet_since = self._first, False, time.monotonic()
        while True:
            quiet = time.monotonic() - quiet_since >= KEEP_ALIVE_SECONDS
            if news or quiet:
                body = await self._workers.run(partial(self._written, news)) if news else KEEP_ALIVE
                await send({"type": "http.response.body", "body": body, "more_body": True})
                quiet_since = time.monotonic()
            if done:
                return
            await asyncio.wait({self._work}, timeout=PROGRESS_SECONDS)
            done, news = self._work.done(), self._mailbox.take()

    def _written(self, news: Sequence[News]) -> bytes:
        return b"".join(news_event(one, self._next_number()) for one in news)

    async def _last_event(self, request_id: str) -> Sequence[Piece]:
        try:
            result = await self._work
            return event_around("result", self._next_number(), result)
        except Exception as error:  # noqa: BLE001 - as of any request; the status was sent before
            if kind_of(error) is INTERNAL:
                log_fault(error, request_id)
            return [event("problem", self._next_number(), bytes(response_for(error, request_id).body))]

    def _next_number(self) -> int:
        self._events += 1
        return self._events


async def stream(
    request: Request, workers: Workers, token: WorkToken, explain: Callable[[Mailbox], list[Piece]]
) -> EventStream:
    """Begin to explain in a thread, and answer once there is something to tell.

    Args:
        request: whose end cancels the token.
        workers: threads to explain in.
        token: the right to work on it.
        explain: gives the result as JSON in one line, and tells the mailbox meanwhile.

    Raises:
        AexError: whatever `explain` raises before it tells anything.
    """
    mailbox = Mailbox()
    work = asyncio.create_task(workers.run_while_wanted(request, token, lambda: explain(mailbox)))
    work.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # asyncio warns of errors unseen
    first: Sequence[News] = ()
    try:
        while not (first := mailbox.take()) and not work.done():
            await asyncio.wait({work}, timeout=PROGRESS_SECONDS)
    except asyncio.CancelledError:  # the server has waited long enough
        work.cancel()
    first = first or mailbox.take()
    if not first:
        await work
    return EventStream(workers, work, mailbox, first)
