"""`aex bench` on a small model, in this process: nothing is timed here but for its own table."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.cli.command import run_aex
from tests.web.serving import save_tiny

AUTHORS = "the authors' loop"


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AEX_THREADS", "1")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_tiny(tmp_path / "tiny", seed=1)
    return tmp_path / "tiny"


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder, random = tmp_path / "pictures", np.random.default_rng(0)
    folder.mkdir()
    for name in ("one", "two"):
        Image.fromarray(random.integers(0, 256, (9, 10, 3), np.uint8)).save(folder / f"{name}.png")
    return folder


def test_latency_and_throughput_are_compared_with_every_peer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, pictures: Path, tmp_path: Path
) -> None:
    file = tmp_path / "bench.json"
    words = ("--model", model, "--images", pictures, "--only", "throughput,latency", "--quick", "--json", file)
    status, said, _ = run_aex(monkeypatch, capsys, "bench", *words)
    assert status == 0
    assert "quick: not to be quoted" in " ".join(said.split())
    written: dict[str, Any] = json.loads(file.read_text())
    assert (written["model"], written["step"], written["threads"], written["pictures"]) == ("tiny", "eager", 1, 2)
    assert [(line["what"], line["peer"], line["to_reach"]) for line in written["lines"]] == [
        ("one image, 2 targets, paper, 35 steps", AUTHORS, "≥ 4"),
        ("one image, 2 targets, fast", AUTHORS, "≥ 10"),
        ("target cross entropy of fast, at equal RMS", AUTHORS, "≤ 1.05"),
        ("12 rows, paper, 35 steps", AUTHORS, "≥ 2"),
        ("one image, 2 targets, paper, 35 steps", "torchattacks PGDL2", None),
        ("one image, 2 targets, paper, 35 steps", "foolbox L2PGD", None),
        ("one image, 2 targets, paper, 35 steps", "captum PGD", None),
        ("gradients, 64 rows, by eager", "eager", "≥ 1.6"),
        ("gradients, 64 rows, by eager", "the limit", "≥ 0.75"),
    ]
    assert all(line["ours"] > 0 and line["peers"] > 0 and line["ratio"] > 0 for line in written["lines"])
    found = written["measured"]["latency"]["found"]
    assert found["paper"] == pytest.approx(found[AUTHORS], rel=1e-3)
    assert found["fast"]["perturbation_rms"] == pytest.approx(found[AUTHORS]["perturbation_rms"], rel=1e-3)


def test_growth_is_drawn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: Path, pictures: Path, tmp_path: Path
) -> None:
    plot, file = tmp_path / "bench.png", tmp_path / "bench.json"
    words = ("--model", model, "--images", pictures, "--only", "growth", "--quick", "--json", file, "--plot", plot)
    status, _, _ = run_aex(monkeypatch, capsys, "bench", *words)
    assert status == 0
    measured = json.loads(file.read_text())["measured"]["growth"]
    assert list(measured["ms_per_row_by_rows"]) == ["1", "2", "4", "8", "16"]
    assert list(measured["ms_per_1000_pixels_by_side"]) == ["32", "64"]
    with Image.open(plot) as drawn:
        assert drawn.width > 2 * drawn.height  # three panels


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--only", "latency,tea"), "--only has 'tea'; it may name latency, throughput"),
        (("--json", "/nowhere/bench.json"), "/nowhere/bench.json cannot be written"),
        (("--model", "/nowhere/model.safetensors"), "/nowhere/model.safetensors"),
        (("--images", "/nowhere"), "/nowhere has no pictures; give a folder with some"),
    ],
)
def test_what_is_wrong_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    model: Path,
    words: tuple[str, ...],
    said: str,
) -> None:
    status, _, error = run_aex(monkeypatch, capsys, "bench", "--model", model, *words)
    assert status == 1
    assert said in error
