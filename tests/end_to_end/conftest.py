"""A server process of `aex serve`, started as a user would start it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.archive.server import TOKEN, archive_serving
from tests.images.apart.files import dicom_file

ROOT = Path(__file__).parents[2]
START_SECONDS = 120


@pytest.fixture(scope="session")
def archived() -> Iterator[Mapping[str, str]]:
    """Environment variables that name a DICOMweb archive, and an image in it: STUDY, SERIES, INSTANCE."""
    with archive_serving() as archive:
        scan = archive.add(dicom_file("CT_small.dcm"))
        uids = {"STUDY": scan.study, "SERIES": scan.series, "INSTANCE": scan.instance}
        yield {"AEX_DICOMWEB_URL": archive.url, "AEX_DICOMWEB_TOKEN": TOKEN, **uids}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, archived: Mapping[str, str]) -> Iterator[str]:
    """Address of a server with the models of this repository, an archive and a place for each of 16 clients."""
    log = tmp_path_factory.mktemp("server") / "log"
    with started_server(log, AEX_MODELS_DIR=str(ROOT / "models"), AEX_PLACES="16", **archived) as address:
        yield address


@contextmanager
def started_server(log: Path, **settings: str) -> Iterator[str]:
    """Address of a server process with these settings, ready, until the end of the block; it writes to `log`."""
    port = free_port()
    with server_process(log, port, **settings):
        yield f"http://127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def server_process(log: Path, port: int, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """The process itself, behind that port; it may be killed within the block."""
    environment = {
        **os.environ,
        "AEX_DEVICE": "cpu",
        "AEX_STEP_BACKEND": "auto",
        "AEX_CACHE_DIR": str(log.parent / "cache"),
        **settings,
    }
    command = [str(Path(sys.executable).with_name("aex")), "serve", "--port", str(port)]
    with log.open("wb") as sink, subprocess.Popen(command, env=environment, stdout=sink, stderr=sink) as process:
        try:
            _wait_until_ready(f"http://127.0.0.1:{port}", process, log)
            yield process
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_ready(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{address}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    pytest.fail(f"not ready after {START_SECONDS} s, or ended with status {process.poll()}:\n{log.read_text()}")
