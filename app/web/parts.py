"""What the routes work with; `app.main` puts it together once, and each request is handed it."""

from dataclasses import dataclass, field
from typing import Annotated, cast

from fastapi import Depends, Request

from app.engine.token import WorkToken
from app.errors import OptionError
from app.reports.reporter import Reporter
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.options import PredictOptions
from app.service.several import Several
from app.web.archiving import Archiving
from app.web.metrics import Metrics
from app.web.upload import Asked, read_request
from app.web.work import Workers


@dataclass
class Readiness:
    """Whether the default model is warm, and if it cannot be, why."""

    warm: bool = False
    fault: str | None = None


@dataclass(frozen=True)
class Parts:
    """The service behind the routes, and what a request may ask of it in milliseconds."""

    explainer: Explainer
    several: Several
    reporter: Reporter
    catalogue: Catalogue
    workers: Workers
    metrics: Metrics
    archiving: Archiving
    default_timeout_ms: int
    max_timeout_ms: int
    readiness: Readiness = field(default_factory=Readiness)

    async def read(self, request: Request) -> Asked:
        """Image and unread options of a request; parsed in a thread, because a body may be large."""
        # Not request.body(), which holds on to the body for as long as it is worked on.
        body = b"".join([chunk async for chunk in request.stream()])
        content_type, query = request.headers.get("content-type", ""), request.url.query
        return await self.workers.run(lambda: read_request(body, content_type, query))

    async def image(self, request: Request, asked: Asked, token: WorkToken) -> bytes:
        """The image, fetched where it was named; to be asked for once the options are known to be right.

        Raises:
            AexError: as `Archiving.fetch` says.
        """
        return asked.image if asked.address is None else await self.archiving.fetch(request, asked.address, token)

    def token(self, options: PredictOptions) -> WorkToken:
        """The right to work on a request, until its deadline.

        Raises:
            OptionError: the deadline asked for is later than this installation allows.
        """
        timeout_ms = self.default_timeout_ms if options.timeout_ms is None else options.timeout_ms
        if timeout_ms > self.max_timeout_ms:
            raise OptionError(f"timeout_ms is {timeout_ms}; it must be at most {self.max_timeout_ms} here.")
        return WorkToken(timeout_ms / 1000)


def _parts(request: Request) -> Parts:
    return cast(Parts, request.app.state.parts)


PartsHere = Annotated[Parts, Depends(_parts)]
