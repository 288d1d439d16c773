"""The client for programs that do other things while they wait; method by method as `app.client.synchronous`."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Literal, Self, Unpack

import anyio
import httpx

from app.client.answers import Event, Explanation, Margin, Prediction
from app.client.calls import EXPLANATIONS, MARGINS, MODELS, PREDICTIONS, Ask, Call
from app.client.images import ImageLike
from app.client.options import ExplainOptions, MarginOptions, PredictOptions
from app.client.several import Answer, Numbers, Part
from app.client.wire import EventReader, address, reaching, require_ok, timeout, wait_before_retry


class AsyncClient:
    """Asks one server; to be used in an `async with` block, or closed. Arguments and errors are those of `Client`."""

    def __init__(
        self,
        server: str,
        *,
        patience_seconds: float = 120.0,
        timeout_seconds: float = 600.0,
        sleep: Callable[[float], Awaitable[object]] = anyio.sleep,
    ) -> None:
        self._server = server
        self._patience_seconds = patience_seconds
        self._sleep = sleep
        self._http = httpx.AsyncClient(base_url=address(server), timeout=timeout(timeout_seconds))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def predict(self, image: ImageLike, **options: Unpack[PredictOptions]) -> Prediction:
        """What an image is read as."""
        return await self._answer(PREDICTIONS.about(image, options))

    async def explain(self, image: ImageLike, **options: Unpack[ExplainOptions]) -> Explanation:
        """What would make an image more, or less, of each target."""
        return await self._answer(EXPLANATIONS.about(image, options))

    async def predict_each(
        self,
        image: ImageLike,
        *,
        pages: Numbers | None = None,
        frames: Numbers | None = None,
        **options: Unpack[PredictOptions],
    ) -> list[Part[Prediction]]:
        """What each of several pages or frames of a file is read as; one that is broken has a problem instead."""
        return await self._answer(PREDICTIONS.about_each(image, pages, frames, options))

    async def explain_each(
        self,
        image: ImageLike,
        *,
        pages: Numbers | None = None,
        frames: Numbers | None = None,
        **options: Unpack[ExplainOptions],
    ) -> list[Part[Explanation]]:
        """The explanation of each of several pages or frames of a file; one that is broken has a problem instead."""
        return await self._answer(EXPLANATIONS.about_each(image, pages, frames, options))

    async def margin(self, image: ImageLike, **options: Unpack[MarginOptions]) -> Margin:
        """How much change the prediction of an image withstands."""
        return await self._answer(MARGINS.about(image, options))

    async def follow(self, image: ImageLike, **options: Unpack[ExplainOptions]) -> AsyncGenerator[Event, None]:
        """The same, telling how it comes along; the last event is the `Explanation`. Closing it cancels the work."""
        reader, response = EventReader(), await self._send(EXPLANATIONS.events(image, options), stream=True)
        async with aclosing(response):
            with reaching(self._server):
                async for line in response.aiter_lines():
                    if (event := reader.take(line)) is not None:
                        yield event
        reader.require_end()

    async def files(self, image: ImageLike, **options: Unpack[ExplainOptions]) -> dict[str, bytes]:
        """An explanation as files by name: explanation.json, the pictures it names, and explanation.npz."""
        return await self._answer(EXPLANATIONS.files(image, options))

    async def explanation(self, explanation_id: str) -> Explanation:
        """One that the server keeps."""
        return await self._answer(EXPLANATIONS.kept(explanation_id))

    async def report(self, explanation_id: str, kind: Literal["html", "pdf", "dcm"] = "pdf") -> bytes:
        """The report of one that the server keeps, as a file."""
        return await self._answer(EXPLANATIONS.report(explanation_id, kind))

    async def delete(self, explanation_id: str) -> None:
        """Cancel one that is worked on, or have the server forget one that it keeps."""
        await self._answer(EXPLANATIONS.deletion(explanation_id))

    async def models(self) -> list[dict[str, Any]]:
        """What is served: name, default, weights_sha256, input, class_count."""
        return await self._answer(MODELS)

    async def _answer(self, call: Call[Answer]) -> Answer:
        return call.read(await self._send(call.ask, stream=False))

    async def _send(self, ask: Ask, *, stream: bool) -> httpx.Response:
        """The response where it is no error; a stream is not read yet, and to be closed."""
        patience_seconds = self._patience_seconds
        with reaching(self._server):
            while True:
                response = await self._http.send(self._http.build_request(**ask), stream=stream)
                if (wait := wait_before_retry(response, patience_seconds)) is None:
                    break
                await response.aclose()
                await self._sleep(wait)
                patience_seconds -= wait
            if not response.is_success:
                await response.aread()  # which closes it
        return require_ok(response)
