"""The models that are shipped: whole, small, described, and named in the README with the figures they have."""

from pathlib import Path
from typing import Any, cast

import pytest

from app.networks.card import write_card
from app.networks.checkpoint import load_checkpoint, read_description, read_pictures
from tests.documentation.project import ROOT

MODELS = sorted(file.parent for file in ROOT.glob("models/*/model.json"))
MAX_WEIGHTS_BYTES = 15 * 10**6


every_model = pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)


@every_model
def test_it_loads_and_is_small(folder: Path) -> None:
    assert load_checkpoint(folder, "cpu").name == folder.name
    assert (folder / "weights.safetensors").stat().st_size < MAX_WEIGHTS_BYTES


@every_model
def test_its_card_is_its_description(folder: Path) -> None:
    description, _ = read_description(folder)
    assert (folder / "CARD.md").read_text() == write_card(folder.name, description, read_pictures(folder))


@every_model
def test_nothing_that_a_reader_asks_of_a_card_is_missing(folder: Path) -> None:
    description, _ = read_description(folder)
    assert all((description.source, description.intended_use, description.known_failures, description.training))
    assert "licen" in description.source
    assert {"accuracy", "areas", "runs"} <= set(description.scores)
    assert "explanations.png" in read_pictures(folder)


@every_model
def test_the_readme_has_its_accuracy_and_area(folder: Path) -> None:
    scores = cast(Any, read_description(folder)[0].scores)
    accuracy, area = scores["classification"]["accuracy"], scores["areas"]["worst_case_ara"]
    row = f"| [{folder.name}](models/{folder.name}/CARD.md) |"
    (line,) = [line for line in (ROOT / "README.md").read_text().splitlines() if line.startswith(row)]
    assert f"| {accuracy['value']:.3f} ({accuracy['low']:.3f} to {accuracy['high']:.3f}) |" in line
    assert f"| {area['value']:.4f} ({area['low']:.4f} to {area['high']:.4f}) |" in line


@every_model
def test_a_robust_model_names_its_plain_twin(folder: Path) -> None:
    twin = None if folder.name.endswith("_plain") else f"{folder.name}_plain"
    assert read_description(folder)[0].twin == twin
