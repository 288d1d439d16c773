"""A real uvicorn, in a thread of this process, and the small networks it serves."""

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import torch
import uvicorn
from fastapi import FastAPI
from PIL import Image

from app.images.fit import Fit
from app.main import create_app
from app.networks.checkpoint import save_checkpoint
from app.networks.description import ExplanationDefaults, InputDescription, ModelDescription
from app.networks.resnet import ResNet, ResNetConfig
from app.settings import Settings
from app.web.middleware import BodyBound
from app.web.parts import Parts

TINY = ResNetConfig(classes=3, widths=(4, 8), blocks=(1, 1))
CLASSES = ("cat", "dog", "sea, ship")
MAX_UPLOAD_BYTES = 200_000
PLACES = 2
LONG = "/v1/explanations?model=slow&steps=1000&targets=all"
"""An explanation that would take far longer than any test here waits."""


@dataclass(frozen=True)
class Served:
    """A running server: its address, the application in it, and a client for it."""

    host: str
    port: int
    app: FastAPI
    client: httpx.Client

    @property
    def parts(self) -> Parts:
        return cast(Parts, self.app.state.parts)

    @property
    def places_taken(self) -> int:
        return self.parts.explainer._engine.places_taken  # nothing else of the product asks for it yet

    @property
    def held_bytes(self) -> int:
        return self.body_bound._held_bytes

    @property
    def body_bound(self) -> BodyBound:
        layer: Any = self.app.middleware_stack
        while not isinstance(layer, BodyBound):
            layer = layer.app
        return layer


def save_models(folder: Path) -> Path:
    """`tiny` answers in milliseconds; `slow` takes seconds for the longest explanation; `broken` cannot be loaded."""
    save_tiny(folder / "tiny", seed=1)
    _save(folder / "slow", ResNetConfig(classes=3, widths=(16, 32), blocks=(2, 2)), side=64)
    _save(folder / "broken", TINY, side=8)
    (folder / "broken" / "weights.safetensors").write_bytes(b"")
    return folder


def small_settings(models_dir: Path, **others: object) -> Settings:
    given: dict[str, object] = {
        "models_dir": models_dir,
        "default_model": "tiny",
        "device": "cpu",
        "threads": 1,
        "places": PLACES,
        "max_queue_seconds": 3600.0,
        "max_upload_bytes": MAX_UPLOAD_BYTES,
        "max_image_pixels": 1_000_000,
        "max_rows": 3,
        "max_timeout_ms": 60_000,
    }
    return Settings(**{**given, **others})


def serving(settings: Settings, port: int = 0) -> AbstractContextManager[Served]:
    """The application of these settings, served."""
    return serving_app(create_app(settings), port)


@contextmanager
def serving_app(app: FastAPI, port: int = 0) -> Iterator[Served]:
    """The application behind a port, 0 for one of its own, and warm."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    host, port = server.servers[0].sockets[0].getsockname()[:2]
    with httpx.Client(base_url=f"http://{host}:{port}", timeout=30) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        yield Served(host, port, app, client)
    server.should_exit = True
    thread.join(timeout=30)


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Ask again and again until it holds, or fail."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.01)


def head(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: test", "Content-Type: image/png", *lines, "", ""]).encode()


@contextmanager
def connection(served: Served, *sent: bytes) -> Iterator[socket.socket]:
    with socket.create_connection((served.host, served.port), timeout=20) as opened:
        for data in sent:
            opened.sendall(data)
        yield opened


def asking(served: Served) -> ExitStack:
    """As many long requests as there are places; leaving the block closes their connections."""
    stack, image = ExitStack(), picture()
    for _ in range(PLACES):
        stack.enter_context(connection(served, head(LONG, f"Content-Length: {len(image)}"), image))
    wait_until(lambda: served.places_taken == PLACES)
    return stack


def picture(height: int = 8, width: int = 8, image_format: str = "PNG") -> bytes:
    """A small file of random pixels, the same ones each time."""
    pixels = np.random.default_rng(5).integers(60, 190, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, image_format)
    return file.getvalue()


def save_poisoned(folder: Path) -> None:
    """A model that passes every check, grey images among them, and overflows on all others."""
    _save(folder, replace(TINY, mean=(0.5,) * 3), side=8, stem=3e38)


def save_tiny(folder: Path, seed: int, fit: Fit = "stretch") -> None:
    """`tiny` with weights of its own."""
    _save(folder, TINY, side=8, seed=seed, fit=fit)


def _save(
    folder: Path, config: ResNetConfig, side: int, seed: int = 1, stem: float | None = None, fit: Fit = "stretch"
) -> None:
    torch.manual_seed(seed)
    network = ResNet(config)
    torch.nn.init.normal_(network.classifier.weight)
    if stem is not None:
        torch.nn.init.constant_(network.stem.weight, stem)
    description = ModelDescription(
        architecture=config,
        classes=CLASSES,
        input=InputDescription(side, side, 3, fit),
        explanation=ExplanationDefaults(rho=0.1, scale=0.3),
        training=None,
        scores={"accuracy": 0.5},
        source="Random numbers.",
    )
    save_checkpoint(folder, network, description)
