"""The notebook of the documentation, run cell by cell against the real server."""

from pathlib import Path
from typing import Any

import httpx
import nbformat
import pytest
from nbclient import NotebookClient

from tests.end_to_end.conftest import ROOT
from tests.end_to_end.test_readme import ADDRESS

NOTEBOOK = ROOT / "docs" / "client.ipynb"
CELL_SECONDS = 120


def read() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where it runs: a folder with the examples and with nothing of the server but its client."""
    place = tmp_path_factory.mktemp("notebook")
    (place / "examples").symlink_to(ROOT / "examples")
    return place


@pytest.fixture(scope="module")
def outputs(server: str, folder: Path) -> dict[str, dict[str, str]]:
    """What each cell wrote and showed, by its id and media type."""
    notebook = read()
    for cell in notebook.cells:
        cell.source = cell.source.replace(ADDRESS, server)
    NotebookClient(notebook, timeout=CELL_SECONDS, resources={"metadata": {"path": str(folder)}}).execute()
    return {cell.id: shown(cell.outputs) for cell in notebook.cells if cell.cell_type == "code"}


def shown(outputs: list[Any]) -> dict[str, str]:
    found = {"text/plain": ""}
    for output in outputs:
        if output.output_type == "stream":
            found["text/plain"] += output.text
        else:
            found |= output.data
    return found


def test_every_cell_shows_something(outputs: dict[str, dict[str, str]]) -> None:
    assert [name for name, said in outputs.items() if not said["text/plain"]] == []
    assert "'cifar10'" in outputs["connect"]["text/plain"]


def test_answers_show_themselves(outputs: dict[str, dict[str, str]]) -> None:
    assert "<td>cat</td>" in outputs["predict"]["text/html"]
    assert outputs["explain"]["text/html"].count("<img ") == 4
    assert outputs["contrast"]["text/html"].count("<img ") == 2


def test_its_numbers_are_the_servers(server: str, outputs: dict[str, dict[str, str]]) -> None:
    asked = {"files": {"image": (ROOT / "examples" / "cat-0.png").read_bytes()}, "data": {"targets": "cat,dog"}}
    answer = httpx.post(f"{server}/v1/explanations", timeout=CELL_SECONDS, **asked).raise_for_status().json()  # type: ignore[arg-type]
    dog = answer["explanations"][1]
    line = f"{dog['probability_before']:.3f} to {dog['probability_after']:.3f}, RMS {dog['perturbation_rms']:.4f}"
    assert outputs["numbers"]["text/plain"].splitlines() == [line, "(32, 32) (2, 32, 32, 3)"]
    assert outputs["again"]["text/plain"] == "True"


def test_an_explanation_is_followed_to_its_end(outputs: dict[str, dict[str, str]]) -> None:
    names = [line.split()[0] for line in outputs["follow"]["text/plain"].splitlines()]
    assert (names[:2], names[-1], set(names[2:-1])) == (["Started", "TargetsChosen"], "Explanation", {"Progress"})


def test_every_example_was_predicted(outputs: dict[str, dict[str, str]]) -> None:
    images = sorted(path.name for path in (ROOT / "examples").glob("*.png"))
    assert [name for name in images if f"'{name}'" in outputs["many"]["text/plain"]] == images


def test_the_report_was_written(outputs: dict[str, dict[str, str]], folder: Path) -> None:
    assert (folder / "cat.pdf").stat().st_size == int(outputs["report"]["text/plain"])
    assert (folder / "cat.pdf").read_bytes().startswith(b"%PDF-")


def test_it_is_kept_without_outputs() -> None:
    code = [cell for cell in read().cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
