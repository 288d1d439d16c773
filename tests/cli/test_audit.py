"""`aex audit` on small models, in this process."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.networks.checkpoint import save_checkpoint
from tests.cli.command import run_aex
from tests.networks.small import small_description, small_network

QUICK = ("--steps", "3", "--size", "0.05", "--methods", "gradcam,adversarial")


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEX_THREADS", "1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "model", small_network(), small_description())
    return tmp_path / "model"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (12, 8, 10, 3), np.uint8), np.arange(12) % 3
    np.savez(tmp_path / "data.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    return tmp_path / "data.npz"


def test_each_model_method_and_goal_is_reported_and_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, data: Path, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "twin", small_network(seed=1), small_description())
    words = ("--data", data, "--images", 4, "--beside", tmp_path / "twin", *QUICK, "--out", tmp_path / "out")
    status, _, _ = run_aex(monkeypatch, capsys, "audit", model, *words)
    assert status == 0
    audits = json.loads((tmp_path / "out" / "audit.json").read_text())["audits"]
    assert [(one["model"], one["method"], one["goal"]) for one in audits] == [
        (name, method, goal)
        for name in ("model", "twin")
        for method in ("gradcam", "adversarial")
        for goal in ("move", "keep")
    ]
    assert all(one["images"] == 4 for one in audits)
    for name in ("model-move", "model-keep", "twin-move", "twin-keep"):
        with Image.open(tmp_path / "out" / f"{name}.png") as sheet:
            assert sheet.width > 5 * 192


def test_an_image_file_is_audited(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, tmp_path: Path
) -> None:
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8)).save(tmp_path / "image.png")
    status, said, _ = run_aex(monkeypatch, capsys, "audit", model, tmp_path / "image.png", *QUICK)
    assert status == 0
    assert "1 of 1" in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Give image files, or --data, and not both."),
        (("--data", "x.npz", "--methods", "tea_leaves"), "method 'tea_leaves' is not offered; it must be one of"),
        (("missing.png",), "missing.png cannot be read"),
    ],
)
def test_what_is_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: Path,
    words: tuple[str, ...],
    said: str,
) -> None:
    status, _, error = run_aex(monkeypatch, capsys, "audit", model, *words)
    assert status == 1
    assert said in error
