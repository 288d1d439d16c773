"""The client for programs that do other things while they wait; method by method as `app.client.synchronous`."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Literal, Self, Unpack

import anyio
import httpx

from app.client.answers import Event, Explanation, Margin, Prediction, explanation_of, margin_of, prediction_of
from app.client.images import ImageLike
from app.client.options import ExplainOptions, MarginOptions, PredictOptions
from app.client.several import Numbers, Part, parts_given, parts_of
from app.client.wire import (
    EVENTS,
    EXPLANATIONS,
    MARGINS,
    MODELS,
    PREDICTIONS,
    REPORTS,
    ZIP,
    Ask,
    EventReader,
    address,
    ask_about,
    ask_for,
    require_ok,
    response_json,
    timeout,
    unreachable,
    unzipped,
    wait_before_retry,
)


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
        return prediction_of(response_json(await self._answer(ask_about(PREDICTIONS, image, options))))

    async def explain(self, image: ImageLike, **options: Unpack[ExplainOptions]) -> Explanation:
        """What would make an image more, or less, of each target."""
        return explanation_of(response_json(await self._answer(ask_about(EXPLANATIONS, image, options))))

    async def predict_each(
        self,
        image: ImageLike,
        *,
        pages: Numbers | None = None,
        frames: Numbers | None = None,
        **options: Unpack[PredictOptions],
    ) -> list[Part[Prediction]]:
        """What each of several pages or frames of a file is read as; one that is broken has a problem instead."""
        asked = {**parts_given(pages, frames), **options}
        return parts_of(response_json(await self._answer(ask_about(PREDICTIONS, image, asked))), prediction_of)

    async def explain_each(
        self,
        image: ImageLike,
        *,
        pages: Numbers | None = None,
        frames: Numbers | None = None,
        **options: Unpack[ExplainOptions],
    ) -> list[Part[Explanation]]:
        """The explanation of each of several pages or frames of a file; one that is broken has a problem instead."""
        asked = {**parts_given(pages, frames), **options}
        return parts_of(response_json(await self._answer(ask_about(EXPLANATIONS, image, asked))), explanation_of)

    async def margin(self, image: ImageLike, **options: Unpack[MarginOptions]) -> Margin:
        """How much change the prediction of an image withstands."""
        return margin_of(response_json(await self._answer(ask_about(MARGINS, image, options))))

    async def follow(self, image: ImageLike, **options: Unpack[ExplainOptions]) -> AsyncGenerator[Event, None]:
        """The same, telling how it comes along; the last event is the `Explanation`. Closing it cancels the work."""
        ask, reader = ask_about(EXPLANATIONS, image, options, EVENTS), EventReader()
        response = await self._send(ask, stream=True)
        try:
            async for line in response.aiter_lines():
                if (event := reader.take(line)) is not None:
                    yield event
        except httpx.HTTPError as error:
            raise unreachable(self._server, error) from error
        finally:
            await response.aclose()
        reader.require_end()

    async def files(self, image: ImageLike, **options: Unpack[ExplainOptions]) -> dict[str, bytes]:
        """An explanation as files by name: explanation.json, the pictures it names, and explanation.npz."""
        return unzipped((await self._answer(ask_about(EXPLANATIONS, image, options, ZIP))).content)

    async def explanation(self, explanation_id: str) -> Explanation:
        """One that the server keeps."""
        return explanation_of(response_json(await self._answer(ask_for(explanation_id))))

    async def report(self, explanation_id: str, kind: Literal["html", "pdf", "dcm"] = "pdf") -> bytes:
        """The report of one that the server keeps, as a file."""
        return (await self._answer(ask_for(explanation_id, what=f"/{REPORTS[kind]}"))).content

    async def delete(self, explanation_id: str) -> None:
        """Cancel one that is worked on, or have the server forget one that it keeps."""
        await self._answer(ask_for(explanation_id, "DELETE"))

    async def models(self) -> list[dict[str, Any]]:
        """What is served: name, default, weights_sha256, input, class_count."""
        models: list[dict[str, Any]] = response_json(await self._answer(Ask("GET", MODELS)))["models"]
        return models

    async def _answer(self, ask: Ask) -> httpx.Response:
        return await self._send(ask, stream=False)

    async def _send(self, ask: Ask, *, stream: bool) -> httpx.Response:
        """The response where it is no error; a stream is not read yet, and to be closed."""
        patience_seconds = self._patience_seconds
        try:
            while True:
                response = await self._http.send(self._http.build_request(**ask.arguments()), stream=stream)
                wait = wait_before_retry(response, patience_seconds)
                if wait is None:
                    break
                await response.aclose()
                await self._sleep(wait)
                patience_seconds -= wait
            if not response.is_success:
                await response.aread()
                await response.aclose()
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise unreachable(self._server, error) from error
        return require_ok(response)
