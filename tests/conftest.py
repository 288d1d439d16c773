"""What tests of several rooms share: bounded threads; the authors' networks and a browser where they are at hand."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from playwright.sync_api import Browser, sync_playwright

from app.networks.importing import ImportedNetwork, ImportOptions, import_network

REFERENCE_DIR = "AEX_REFERENCE_DIR"
# The same examples each time; `pytest --hypothesis-profile default` looks for others.
settings.register_profile("fixed", derandomize=True)
settings.load_profile("fixed")

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session", autouse=True)
def _bounded_threads() -> None:
    torch.set_num_threads(1)  # most networks here are tiny: a second thread only waits


@pytest.fixture(scope="session", autouse=True)
def _nothing_compiled() -> Iterator[None]:
    """Compiling takes seconds, which networks of tests do not earn back; tests of compiling say so themselves."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AEX_STEP_BACKEND", "eager")
        yield


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """Folder of the authors' networks and of what their code made of them."""
    if not os.environ.get(REFERENCE_DIR):
        pytest.skip(f"{REFERENCE_DIR} names no folder with the authors' networks (resnet44-all.safetensors …)")
    return Path(os.environ[REFERENCE_DIR])


@pytest.fixture(scope="session")
def authors_network(reference_dir: Path) -> Callable[[str], ImportedNetwork]:
    """`authors_network("resnet44-all")` is that network of the authors, imported once."""
    return cache(lambda name: import_network(reference_dir / f"{name}.safetensors", ImportOptions()))


@pytest.fixture(scope="module")  # while playwright runs, no other test of its thread can have an event loop
def browser() -> Iterator[Browser]:
    """For the pages that people use."""
    if not chromium_path():
        pytest.skip(f"none of {', '.join(CHROMIUMS)} is installed (Debian: apt-get install chromium)")
    with chromium() as browser:
        yield browser


@contextmanager
def chromium() -> Iterator[Browser]:
    """A real browser, until the end of the block."""
    sandbox = [] if os.geteuid() else ["--no-sandbox"]  # it cannot be had as root
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium_path(), args=sandbox) as browser,
    ):
        yield browser


def chromium_path() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUMS)), None)
