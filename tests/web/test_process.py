"""The server as a process of its own, started as operators start it."""

import json
import os
import platform
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.web.serving import picture, wait_until

SECRETS = ("patient-smith", "secret-option", "secret-agent")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.slow
def test_the_factory_serves_logs_nothing_of_a_request_and_ends_when_asked(models_dir: Path, tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    settings = {"AEX_MODELS_DIR": str(models_dir), "AEX_DEFAULT_MODEL": "tiny", "AEX_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env={**os.environ, **settings, "AEX_THREADS": "1"}, stdout=output, stderr=output
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_until(lambda: is_ready(client), seconds=60)
            files = {"image": ("patient-smith.png", picture())}
            headers = {"User-Agent": "secret-agent", "X-Request-ID": "found-again"}
            client.post("/v1/predictions", files=files, headers=headers).raise_for_status()
            client.post("/v1/predictions?secret-option=secret-option", content=picture())
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)
    text = log.read_text()
    work, request = [json.loads(line) for line in text.splitlines() if "found-again" in line]
    assert (request["route"], request["status"], request["method"]) == ("/v1/predictions", 200, "POST")
    assert request["ms"] > 0
    assert (work["model"], work["rows"], work["steps"], work["outcome"]) == ("tiny", 1, 0, "done")
    assert work["queued_ms"] >= 0
    assert not [secret for secret in SECRETS if secret in text]


@pytest.mark.slow
def test_what_cannot_serve_says_why_at_start() -> None:
    command = [sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory", "--port", str(free_port())]
    ended = subprocess.run(
        command,
        env={**os.environ, "AEX_MODELS_DIR": "/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "There is no model cifar10; available: none" in ended.stderr.splitlines()[-1]


_COUNT_HEAPS = """
import ctypes, threading
from app.main import bound_heaps
bound_heaps()
libc, held, all_hold = ctypes.CDLL(None), threading.Event(), threading.Barrier(9)
def hold():
    libc.malloc(1000)
    all_hold.wait()
    held.wait()
threads = [threading.Thread(target=hold) for _ in range(8)]
for thread in threads: thread.start()
all_hold.wait()
libc.fdopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fdopen(1, b"w"))
libc.malloc_info(0, file)
libc.fflush(file)
held.set()
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps of threads are glibc's")
def test_eight_threads_share_two_heaps() -> None:
    """As glibc itself counts them; without the bound there are nine."""
    said = subprocess.run([sys.executable, "-c", _COUNT_HEAPS], check=True, capture_output=True, text=True).stdout
    assert said.count("<heap ") == 2
