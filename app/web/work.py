"""Blocking work off the event loop, bounded, and given up when whoever asked goes away."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import anyio
from anyio import to_thread
from starlette.requests import Request

from app.engine.token import WorkToken
from app.errors import EngineFull

Result = TypeVar("Result")

SPARE_THREADS = 4
"""Beyond one for each place: they read uploads, and refuse at once those who find every place taken."""

STOPPING_RETRY_SECONDS = 10


class Workers:
    """Threads for parsing, decoding and explaining.

    Args:
        places: of the engine; a thread waits in each.
    """

    def __init__(self, places: int) -> None:
        self._threads = anyio.CapacityLimiter(places + SPARE_THREADS)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Do short work in a thread."""
        return await to_thread.run_sync(work, limiter=self._threads)

    async def run_while_wanted(self, request: Request, token: WorkToken, work: Callable[[], Result]) -> Result:
        """Do long work in a thread; the token is cancelled when the client closes the connection.

        Raises:
            AexError: whatever the work raises, `Cancelled` among it; `EngineFull` where the server stops meanwhile.
        """
        watch = asyncio.create_task(_cancel_when_gone(request, token))
        try:
            return await self.run(work)
        except asyncio.CancelledError:  # the server has waited long enough; the thread ends by its token
            token.cancel()
            raise EngineFull("The server is stopping; come again when it is back.", STOPPING_RETRY_SECONDS) from None
        finally:
            watch.cancel()


async def _cancel_when_gone(request: Request, token: WorkToken) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
    token.cancel()
