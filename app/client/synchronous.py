"""The client for programs that wait."""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, Literal, Self, Unpack

import httpx

from app.client.answers import Event, Explanation, Margin, Prediction
from app.client.calls import EXPLANATIONS, MARGINS, MODELS, PREDICTIONS, Ask, Call
from app.client.images import ImageLike
from app.client.options import ExplainOptions, MarginOptions, PredictOptions
from app.client.several import Answer, Numbers, Part
from app.client.wire import EventReader, address, reaching, require_ok, timeout, wait_before_retry


class Client:
    """Asks one server; to be used in a `with` block, or closed.

    Args:
        server: its address, such as http://localhost:8000.
        patience_seconds: to be spent at the most on waiting for a busy server, as its Retry-After says.
        timeout_seconds: for an answer.
        sleep: waits so many seconds.

    Every method raises `Problem` where the server says what is wrong, and `NoAnswer` where it cannot be reached.
    """

    def __init__(
        self,
        server: str,
        *,
        patience_seconds: float = 120.0,
        timeout_seconds: float = 600.0,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._server = server
        self._patience_seconds = patience_seconds
        self._sleep = sleep
        self._http = httpx.Client(base_url=address(server), timeout=timeout(timeout_seconds))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def predict(self, image: ImageLike, **options: Unpack[PredictOptions]) -> Prediction:
        """What an image is read as."""
        return self._answer(PREDICTIONS.about(image, options))

    def explain(self, image: ImageLike, **options: Unpack[ExplainOptions]) -> Explanation:
        """What would make an image more, or less, of each target."""
        return self._answer(EXPLANATIONS.about(image, options))

    def predict_each(
        self,
        image: ImageLike,
        *,
        pages: Numbers | None = None,
        frames: Numbers | None = None,
        **options: Unpack[PredictOptions],
    ) -> list[Part[Prediction]]:
        """What each of several pages or frames of a file is read as; one that is broken has a problem instead."""
        return self._answer(PREDICTIONS.about_each(image, pages, frames, options))

    def explain_each(
        self,
        image: ImageLike,
        *,
        pages: Numbers | None = None,
        frames: Numbers | None = None,
        **options: Unpack[ExplainOptions],
    ) -> list[Part[Explanation]]:
        """The explanation of each of several pages or frames of a file; one that is broken has a problem instead."""
        return self._answer(EXPLANATIONS.about_each(image, pages, frames, options))

    def margin(self, image: ImageLike, **options: Unpack[MarginOptions]) -> Margin:
        """How much change the prediction of an image withstands."""
        return self._answer(MARGINS.about(image, options))

    def follow(self, image: ImageLike, **options: Unpack[ExplainOptions]) -> Generator[Event, None, None]:
        """The same, telling how it comes along; the last event is the `Explanation`. Closing it cancels the work."""
        reader, response = EventReader(), self._send(EXPLANATIONS.events(image, options), stream=True)
        with closing(response), reaching(self._server):
            for line in response.iter_lines():
                if (event := reader.take(line)) is not None:
                    yield event
        reader.require_end()

    def files(self, image: ImageLike, **options: Unpack[ExplainOptions]) -> dict[str, bytes]:
        """An explanation as files by name: explanation.json, the pictures it names, and explanation.npz."""
        return self._answer(EXPLANATIONS.files(image, options))

    def explanation(self, explanation_id: str) -> Explanation:
        """One that the server keeps."""
        return self._answer(EXPLANATIONS.kept(explanation_id))

    def report(self, explanation_id: str, kind: Literal["html", "pdf", "dcm"] = "pdf") -> bytes:
        """The report of one that the server keeps, as a file."""
        return self._answer(EXPLANATIONS.report(explanation_id, kind))

    def delete(self, explanation_id: str) -> None:
        """Cancel one that is worked on, or have the server forget one that it keeps."""
        self._answer(EXPLANATIONS.deletion(explanation_id))

    def models(self) -> list[dict[str, Any]]:
        """What is served: name, default, weights_sha256, input, class_count."""
        return self._answer(MODELS)

    def _answer(self, call: Call[Answer]) -> Answer:
        return call.read(self._send(call.ask, stream=False))

    def _send(self, ask: Ask, *, stream: bool) -> httpx.Response:
        """The response where it is no error; a stream is not read yet, and to be closed."""
        patience_seconds = self._patience_seconds
        with reaching(self._server):
            while True:
                response = self._http.send(self._http.build_request(**ask), stream=stream)
                if (wait := wait_before_retry(response, patience_seconds)) is None:
                    break
                response.close()
                self._sleep(wait)
                patience_seconds -= wait
            if not response.is_success:
                response.read()  # which closes it
        return require_ok(response)
