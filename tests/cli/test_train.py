"""`aex train` as a user types it: to a model folder, resumed, overridden, fine-tuned, and tried without writing."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.networks.checkpoint import load_checkpoint
from app.networks.resnet import ResNetConfig
from app.training.recipe import RECIPES, Recipe
from tests.cli.command import run_aex
from tests.training.toy import toy_data

TINY = Recipe(ResNetConfig(classes=10, widths=(4, 8), blocks=(1, 1)), epochs=1, batch_size=16, crop_padding=1)

Train = Callable[..., tuple[int, str, str]]


@pytest.fixture
def train(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Train:
    """`train(*words)` is `aex train tiny *words` in a folder with data.npz; exit status, standard output, error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AEX_THREADS", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setitem(RECIPES, "tiny", TINY)
    arrays: dict[str, Any] = {}
    for name, split in (("train", toy_data().train), ("test", toy_data().test)):
        arrays[f"{name}_images"] = split.images.permute(0, 2, 3, 1).numpy()
        arrays[f"{name}_labels"] = split.labels.numpy()
    np.savez("data.npz", **arrays)

    def run(*words: object) -> tuple[int, str, str]:
        status, out, error = run_aex(monkeypatch, capsys, "train", "tiny", "--no-compile", *words)
        return status, out, " ".join(error.split())

    return run


def test_a_model_folder_comes_out(train: Train) -> None:
    status, out, _ = train("--data", "data.npz", "--out", "models/mine", "--seed", 4, "--learning-rate", 0.02)
    assert status == 0
    assert "written to models/mine" in out
    model = load_checkpoint(Path("models/mine"), "cpu")
    assert model.description.input.channels == 1
    assert model.description.training is not None
    assert (model.description.training["seed"], model.description.training["learning_rate"]) == (4, 0.02)
    assert model.description.training["steps"] == 12
    assert model.description.source.startswith("Trained from random weights")


def test_a_run_goes_on_with_more_epochs_and_nothing_else(train: Train) -> None:
    there = ("--data", "data.npz", "--out", "models/mine")
    assert train(*there)[0] == 0
    status, _, error = train(*there)
    assert status == 1
    assert "holds the state of a run: go on with --resume" in error
    status, _, error = train(*there, "--resume", "--batch-size", 32)
    assert status == 1
    assert "is of another recipe: batch_size was 16 and is 32" in error
    assert train(*there, "--resume", "--epochs", 2)[0] == 0
    lines = Path("runs/mine/log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [12, 24]


def test_fine_tuning_keeps_the_network_and_says_where_it_began(train: Train) -> None:
    assert train("--data", "data.npz", "--out", "models/first")[0] == 0
    assert train("--data", "data.npz", "--out", "models/second", "--init", "models/first")[0] == 0
    first, second = (load_checkpoint(Path(f"models/{name}"), "cpu").description for name in ("first", "second"))
    assert first.architecture == second.architecture
    assert second.source.startswith("Trained from the weights of first")


def test_a_dry_run_needs_no_data_and_writes_nothing(train: Train) -> None:
    status, out, _ = train("--dry-run", "--images", 1600)
    assert status == 0
    assert "an epoch of 1600 images is 100 steps" in out
    assert "peak memory of the process" in out
    assert [file.name for file in Path().iterdir()] == ["data.npz"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Give --data and --out, or --dry-run"),
        (("--dry-run", "--accumulate", 3), "A batch of 16 cannot be parted evenly in 3"),
        (("--dry-run", "--init", "nothing.pt"), "nothing.pt is not there"),
    ],
)
def test_what_cannot_be_done_is_said(train: Train, words: tuple[object, ...], sentence: str) -> None:
    status, _, error = train(*words)
    assert status == 1
    assert sentence in error
