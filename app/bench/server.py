"""A server process of `aex serve` with one model, and a client of it that costs little beside it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlencode

from app.bench.subject import Subject
from app.errors import DataError

_PLACES = 64  # more than there are clients, some of which have hung up without the server's having noticed yet
_START_SECONDS = 300  # a first start compiles
_ANSWER_SECONDS = 300
_STOP_SECONDS = 30
EXPLAIN, PREDICT = "/v1/explanations", "/v1/predictions"

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Server:
    """A process that is ready."""

    port: int
    pid: int

    def memory_peak_bytes(self) -> int:
        """The most memory that it ever had (resident).

        Raises:
            DataError: this system does not tell.
        """
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError as error:
            raise DataError(f"What memory a process had is only known on Linux: {error.strerror}.") from None
        (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
        return 1024 * int(peak)


@dataclass(frozen=True)
class Request:
    """What is asked of a server: an image to be predicted or explained, with options."""

    route: str
    options: Mapping[str, str] = field(default_factory=dict)
    accept: str = "application/json"


class Client:
    """Asks one thing after the other, each by a connection of its own; one thread uses it, but for `hang_up`."""

    def __init__(self, server: Server) -> None:
        self._port = server.port
        self._connection: HTTPConnection | None = None

    def ask(self, request: Request, image: bytes) -> bytes:
        """The answer's body.

        Raises:
            DataError: there is no answer, or not with status 200; says what the server said.
        """
        self._connection = connection = HTTPConnection(_HOST, self._port, timeout=_ANSWER_SECONDS)
        headers = {"Content-Type": "application/octet-stream", "Accept": request.accept}
        try:
            connection.request("POST", f"{request.route}?{urlencode(request.options)}", image, headers)
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, HTTPException) as error:
            raise DataError(f"The server gave no answer to {request}: {error!r}.") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise DataError(f"The server answered {answer.status} to {request}: {body[:300]!r}.")
        return body

    def hang_up(self) -> None:
        """Let go of the connection, whoever waits on it."""
        held = None if self._connection is None else self._connection.sock
        if held is not None:
            with suppress(OSError):  # it is closed meanwhile
                held.shutdown(socket.SHUT_RDWR)


@contextmanager
def started_server(subject: Subject, name: str, **settings: str) -> Iterator[Server]:
    """A server with the subject alone and these settings besides the environment's, ready, until the block ends.

    Args:
        subject: its model's folder is what is served.
        name: of the log, written beside the models.
        settings: environment variables.

    Raises:
        DataError: it did not get ready; says what it wrote.
    """
    folder, port = subject.checkpoint.folder.parent, _free_port()
    environment = {
        **os.environ,
        "AEX_MODELS_DIR": str(folder),
        "AEX_DEFAULT_MODEL": subject.checkpoint.name,
        "AEX_DEVICE": str(subject.device),
        "AEX_PLACES": str(_PLACES),
        **settings,
    }
    log = folder / f"{name}.log"
    command = [str(Path(sys.executable).with_name("aex")), "serve", "--host", _HOST, "--port", str(port)]
    with log.open("wb") as sink, subprocess.Popen(command, env=environment, stdout=sink, stderr=sink) as process:  # noqa: S603 (our own command)
        try:
            _wait_until_ready(port, process, log)
            yield Server(port, process.pid)
        finally:
            process.terminate()
            _wait_or_kill(process)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_HOST, 0))
        port: int = free.getsockname()[1]
    return port


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _is_ready(port):
            return
        time.sleep(0.1)
    said = log.read_text(errors="replace")[-2000:]
    raise DataError(f"A server was not ready after {_START_SECONDS} s, or ended by itself; it wrote:\n{said}")


def _is_ready(port: int) -> bool:
    connection = HTTPConnection(_HOST, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
