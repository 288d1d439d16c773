"""A server, and both clients behind one face, so that each test holds both to the same."""

from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from app.client import AsyncClient, Client
from app.client.answers import Event
from tests.web.serving import Served, save_models, serving, small_settings

Connect = Callable[..., "Client | Waiting"]


@pytest.fixture(scope="package")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(small_settings(save_models(tmp_path_factory.mktemp("models")))) as running:
        yield running


class Waiting:
    """An `AsyncClient` whose methods are waited for, in an event loop of another thread."""

    def __init__(self, portal: BlockingPortal, server: str, **arguments: Any) -> None:
        self._portal = portal
        self._client = portal.call(partial(AsyncClient, server, **arguments))

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        return lambda *given, **options: self._portal.call(partial(method, *given, **options))

    def follow(self, *given: Any, **options: Any) -> Generator[Event, None, None]:
        events = self._client.follow(*given, **options)
        try:
            while True:
                try:
                    yield self._portal.call(anext, events)
                except StopAsyncIteration:
                    return
        finally:
            self._portal.call(events.aclose)


@pytest.fixture(params=["sync", "async"])
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """`connect(server, **arguments)` is a client of either kind; all are closed at the end."""
    opened: list[Client | Waiting] = []
    with start_blocking_portal() as portal:

        def open_client(server: str, **arguments: Any) -> Client | Waiting:
            if request.param == "async":
                sleep = arguments.pop("sleep", None)
                if sleep is not None:
                    arguments["sleep"] = _awaited(sleep)
                opened.append(Waiting(portal, server, **arguments))
            else:
                opened.append(Client(server, **arguments))
            return opened[-1]

        yield open_client
        for client in opened:
            client.close()


def _awaited(sleep: Callable[[float], object]) -> Callable[[float], Any]:
    async def wait(seconds: float) -> None:
        await to_thread.run_sync(sleep, seconds)  # which may wait for what this loop does

    return wait


@pytest.fixture
def client(connect: Connect, served: Served) -> Any:
    """A client of either kind for the server."""
    return connect(str(served.client.base_url))


@pytest.fixture
def image_file(tmp_path: Path) -> Path:
    return tmp_path / "image.png"
