"""One server for all tests that leave it as it was."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.web.serving import Served, save_models, serving, small_settings


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="session")
def served(models_dir: Path) -> Iterator[Served]:
    with serving(small_settings(models_dir)) as running:
        yield running


@pytest.fixture
def client(served: Served) -> httpx.Client:
    return served.client
