"""From a run to a model folder: the time of every process counts, and what was held out is drawn."""

import json
from pathlib import Path

import pytest

from app.networks.checkpoint import read_description, read_pictures
from app.networks.resnet import ResNet
from app.training.export import export
from tests.training.toy import NETWORK, RECIPE, toy_data

LINES = (
    {"step": 10, "seconds": 20.0, "held_out_accuracy": 0.5},
    {"step": 20, "seconds": 40.0, "held_out_accuracy": 0.6},
    {"step": 30, "seconds": 15.0, "held_out_accuracy": 0.7},  # picked up again: its clock began anew
    {"step": 40, "seconds": 30.0},
)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model folder of a run that was picked up once."""
    run = tmp_path / "run"
    run.mkdir()
    (run / "log.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in LINES))
    folder = tmp_path / "mine"
    network, data = ResNet(NETWORK), toy_data()
    export(network, "toy", RECIPE, data, run, folder, source="From a test.", command="aex train toy", temperature=1.5)
    return folder


def test_seconds_of_every_process_are_added_up(model: Path) -> None:
    training = read_description(model)[0].training
    assert training is not None
    assert (training["steps"], training["seconds"], training["command"]) == (40, 70, "aex train toy")


def test_the_temperature_stands_beside_the_recipe(model: Path) -> None:
    training = read_description(model)[0].training
    assert training is not None
    assert training["temperature"] == 1.5


def test_the_run_is_drawn_into_the_card(model: Path) -> None:
    assert read_pictures(model)["training.png"].startswith(b"\x89PNG")
    assert "](training.png)" in (model / "CARD.md").read_text()
