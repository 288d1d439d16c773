"""What each method of a client asks, and how it reads the answer; the clients send it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic
from urllib.parse import quote

import httpx

from app.client.answers import Explanation, Json, explanation_of, margin_of, prediction_of
from app.client.images import ImageLike, image_member
from app.client.several import Answer, Numbers, Part, parts_given, parts_of
from app.client.wire import response_json, unzipped

_JSON, _ZIP, _EVENTS = "application/json", "application/zip", "text/event-stream"
_REPORTS = {"html": "report.html", "pdf": "report.pdf", "dcm": "report.dcm"}

Options = Mapping[str, Any]
Ask = Mapping[str, Any]
"""One request, as httpx builds it."""


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """One request, and what its response means where it is no error."""

    ask: Ask
    read: Callable[[httpx.Response], Answer]


@dataclass(frozen=True)
class Resource(Generic[Answer]):
    """What the server answers about images that are sent to a path."""

    path: str
    answer_of: Callable[[Json], Answer]

    def about(self, image: ImageLike, options: Options) -> Call[Answer]:
        return _of_json(self._about(image, options), self.answer_of)

    def about_each(
        self, image: ImageLike, pages: Numbers | None, frames: Numbers | None, options: Options
    ) -> Call[list[Part[Answer]]]:
        """Of several pages or frames of a file; raises as `parts_given` does."""
        ask = self._about(image, {**parts_given(pages, frames), **options})
        return _of_json(ask, lambda said: parts_of(said, self.answer_of))

    def _about(self, image: ImageLike, options: Options, accept: str = _JSON) -> Ask:
        """Send an image with options; what is None is left to the server."""
        given = {name: value for name, value in options.items() if value is not None}
        lists = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
        return _ask("POST", self.path, accept, {**image_member(image), **lists})


class Explanations(Resource[Explanation]):
    """They come in other forms, too, and some are kept."""

    def events(self, image: ImageLike, options: Options) -> Ask:
        return self._about(image, options, _EVENTS)

    def files(self, image: ImageLike, options: Options) -> Call[dict[str, bytes]]:
        return Call(self._about(image, options, _ZIP), lambda response: unzipped(response.content))

    def kept(self, explanation_id: str) -> Call[Explanation]:
        return _of_json(_ask("GET", self._path_of(explanation_id)), self.answer_of)

    def report(self, explanation_id: str, kind: str) -> Call[bytes]:
        path = f"{self._path_of(explanation_id)}/{_REPORTS[kind]}"
        return Call(_ask("GET", path, "*/*"), lambda response: response.content)

    def deletion(self, explanation_id: str) -> Call[None]:
        return Call(_ask("DELETE", self._path_of(explanation_id)), lambda _: None)

    def _path_of(self, explanation_id: str) -> str:
        return f"{self.path}/{quote(explanation_id, safe='')}"


def _ask(method: str, path: str, accept: str = _JSON, body: Json | None = None) -> Ask:
    return {"method": method, "url": path, "headers": {"Accept": accept}, "json": body}


def _of_json(ask: Ask, answer_of: Callable[[Json], Answer]) -> Call[Answer]:
    return Call(ask, lambda response: answer_of(response_json(response)))


PREDICTIONS = Resource("/v1/predictions", prediction_of)
EXPLANATIONS = Explanations("/v1/explanations", explanation_of)
MARGINS = Resource("/v1/margins", margin_of)
MODELS: Call[list[dict[str, Any]]] = _of_json(_ask("GET", "/v1/models"), lambda said: said["models"])
