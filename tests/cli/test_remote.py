"""`aex --server`: what a running server answers is what the same model answers here."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.command import run_aex
from tests.web.serving import Served, picture, save_models, serving, small_settings

Aex = Callable[..., tuple[int, str, str]]
CHANGING = {"id", "created", "timing_ms", "kept_until", "file"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def served(models: Path) -> Iterator[Served]:
    with serving(small_settings(models)) as running:
        yield running


@pytest.fixture
def address(served: Served) -> str:
    return str(served.client.base_url)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "a b.png").write_bytes(picture())
    return tmp_path / "a b.png"


@pytest.fixture
def aex(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Aex:
    monkeypatch.setenv("AEX_THREADS", "1")
    monkeypatch.setenv("AEX_DEFAULT_MODEL", "tiny")
    return lambda *words: run_aex(monkeypatch, capsys, *words)


def lasting(answer: str) -> dict[str, object]:
    """An answer without what differs each time it is made."""
    return {name: value for name, value in json.loads(answer).items() if name not in CHANGING}


def test_a_prediction_is_that_of_the_model_here(aex: Aex, models: Path, address: str, image: Path) -> None:
    words = ["predict", image, "--json", "--top-k", "0"]
    here, there = aex(*words, "--models", models), aex(*words, "--server", address)
    assert (here[0], there[0]) == (0, 0)
    assert lasting(there[1]) == lasting(here[1])
    assert "sea, ship" in aex("predict", image, "--server", address)[1]


def test_an_explanation_is_the_same_files_without_the_sheet(
    aex: Aex, models: Path, address: str, image: Path, tmp_path: Path
) -> None:
    words = ["explain", image, "--target", "dog", "--rho", "0.05", "--steps", "4", "--method", "paper", "--arrays"]
    here, there = tmp_path / "here", tmp_path / "there"
    assert aex(*words, "--out", here, "--models", models)[0] == 0
    status, out, _ = aex(*words, "--out", there, "--server", address)
    assert status == 0
    assert "dog" in out
    assert {file.name for file in here.iterdir()} == {file.name for file in there.iterdir()} | {"sheet.png"}
    for file in there.glob("*.png"):
        assert file.read_bytes() == (here / file.name).read_bytes()
    answers = [lasting((folder / "explanation.json").read_text()) for folder in (here, there)]
    assert answers[0] == answers[1]


def test_a_report_is_the_servers(aex: Aex, address: str, image: Path, tmp_path: Path) -> None:
    words = ["--steps", "1", "--out", tmp_path / "out", "--report", tmp_path / "r.pdf", "--report", tmp_path / "r.html"]
    assert aex("explain", image, *words, "--server", address)[0] == 0
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF-")
    assert json.loads((tmp_path / "out" / "explanation.json").read_text())["id"] in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_what_the_server_refuses_is_said_of_the_image(
    aex: Aex, address: str, image: Path, tmp_path: Path, command: str
) -> None:
    out = ["--out", tmp_path / "out"] if command == "explain" else []
    status, _, err = aex(command, image, "--model", "nobody", *out, "--server", address)
    assert (status, err) == (1, f"aex: {image}: There is no model nobody; available: slow, tiny.\n")
    image.write_bytes(b"hello")
    status, _, err = aex(command, image, *out, "--server", address)
    assert status == 1
    assert f"{image}: These bytes are no image" in err


def test_a_server_that_is_not_there_is_said_to_be_gone(aex: Aex, image: Path) -> None:
    status, _, err = aex("predict", image, "--server", "http://127.0.0.1:9")
    assert status == 1
    assert "http://127.0.0.1:9 cannot be reached" in err
    assert "it must be an address such as" in aex("predict", image, "--server", "localhost")[2]


def test_models_of_ones_own_and_a_server_exclude_each_other(aex: Aex, models: Path, address: str, image: Path) -> None:
    status, _, err = aex("predict", image, "--models", models, "--server", address)
    assert (status, err) == (
        1,
        "aex: --models and --device are the server's own; leave them out where --server is given.\n",
    )
