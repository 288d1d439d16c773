"""What comes back, and when to ask again, without sending: both clients listen by this."""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from app.client.answers import Event, Explanation, event_of
from app.client.errors import ClientError, NoAnswer, Problem

CONNECT_SECONDS = 10.0
USUAL_WAIT_SECONDS = 5.0
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_EVENT_FIELD = re.compile(r"(event|data): ?(.*)")


def address(server: str) -> str:
    """Where a server listens.

    Raises:
        ClientError: it is no address.
    """
    if not server.startswith(("http://", "https://")):
        raise ClientError(f"The server is {server!r}; it must be an address such as http://localhost:8000.")
    return server


def timeout(read_seconds: float) -> httpx.Timeout:
    """Short to connect, long to wait for an answer."""
    return httpx.Timeout(read_seconds, connect=CONNECT_SECONDS)


def wait_before_retry(response: httpx.Response, patience_seconds: float) -> float | None:
    """Seconds after which a busy server (503) wants to be asked again; None where there is no use, or no patience."""
    if response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
        return None
    said = response.headers.get("retry-after", "")
    wait = float(said) if said.isascii() and said.isdecimal() else USUAL_WAIT_SECONDS
    return wait if wait <= patience_seconds else None


def require_ok(response: httpx.Response) -> httpx.Response:
    """The response, which was read, where it is no error.

    Raises:
        Problem: as the server says.
        NoAnswer: it is an error, and not of this server's kind.
    """
    if response.is_success:
        return response
    raise problem_of(response_json(response), response.status_code)


def response_json(response: httpx.Response) -> Any:  # noqa: ANN401 - any JSON
    """Its JSON.

    Raises:
        NoAnswer: it has none.
    """
    try:
        return response.json()
    except ValueError:
        raise NoAnswer(
            f"{response.url.host} answered with status {response.status_code} and no JSON; is it this server?"
        ) from None


def problem_of(said: Any, status: int) -> Problem:  # noqa: ANN401 - any JSON
    """What the server says is wrong.

    Raises:
        NoAnswer: it is not said as this server says it.
    """
    try:
        return Problem(said["status"], said["type"].rpartition("/")[2], said["detail"], said["instance"])
    except (TypeError, KeyError, AttributeError):
        raise NoAnswer(f"The answer has status {status} and is no problem as this server writes it.") from None


@contextmanager
def reaching(server: str) -> Iterator[None]:
    """What the block does needs the server.

    Raises:
        NoAnswer: no answer came at all, or it broke off.
    """
    try:
        yield
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise NoAnswer(
            f"{server} cannot be reached or went away ({type(error).__name__}); is the server running there?"
        ) from error


def unzipped(content: bytes) -> dict[str, bytes]:
    """The files of an archive by name.

    Raises:
        NoAnswer: it is none, or a name in it leads elsewhere.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        files = {name: archive.read(name) for name in archive.namelist()}
    except zipfile.BadZipFile:
        raise NoAnswer("The answer is no archive; is it this server?") from None
    for name in files:
        if not _FILE_NAME.fullmatch(name):
            raise NoAnswer(f"The answer has a file of the name {name[:80]!r}, which this server does not give.")
    return files


class EventReader:
    """Events out of the lines of a stream (HTML standard, 9.2)."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}
        self._ended = False

    def take(self, line: str) -> Event | None:
        """The event that this line completes, if it does.

        Raises:
            Problem: it is the event of that name.
        """
        if (found := _EVENT_FIELD.fullmatch(line)) is not None:
            self._fields[found[1]] = found[2]
        if line or "data" not in self._fields:
            return None
        name, data = self._fields.get("event", ""), json.loads(self._fields["data"])
        self._fields = {}
        if name == "problem":
            raise problem_of(data, 200)
        event = event_of(name, data)
        self._ended = isinstance(event, Explanation)
        return event

    def require_end(self) -> None:
        """Return if the last event was the explanation.

        Raises:
            NoAnswer: the stream broke off before.
        """
        if not self._ended:
            raise NoAnswer("The server's stream broke off before its result; ask again.")
