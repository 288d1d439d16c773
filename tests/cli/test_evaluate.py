"""`aex evaluate` on a small model and a small npz, in this process."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from app.cli import cli
from app.errors import AexError
from app.networks.checkpoint import load_checkpoint, save_checkpoint
from tests.networks.small import CONFIG, small_description, small_network

QUICK = ("--images", "6", "--steps", "5", "--batch-size", "4", "--sizes", "0.01,0.05")
FAST = ("--attack-steps", "2", "--attack-targets", "1", "--queries", "3")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Twelve images of three classes, 8x10."""
    random = np.random.default_rng(0)
    images, labels = random.integers(0, 256, (12, 8, 10, 3), np.uint8), np.arange(12) % 3
    np.savez(tmp_path / "data.npz", train_images=images, train_labels=labels, test_images=images, test_labels=labels)
    return tmp_path / "data.npz"


def model(folder: Path, seed: int) -> Path:
    save_checkpoint(folder, small_network(seed=seed), small_description())
    return folder


def aex_evaluate(*words: object) -> str:
    """What it prints on standard output; its own errors are raised."""
    threads = torch.get_num_threads()
    try:
        done = CliRunner().invoke(cli, ["evaluate", *map(str, words)], catch_exceptions=False, env={"AEX_THREADS": "1"})
    finally:
        torch.set_num_threads(threads)
    assert done.exit_code == 0, done.output
    return done.stdout


def test_everything_is_written_where_it_was_asked_for(data: Path, tmp_path: Path) -> None:
    ours, theirs = model(tmp_path / "ours", 0), model(tmp_path / "theirs", 1)
    files = ("--json", tmp_path / "run.json", "--plot", tmp_path / "run.png", "--resume", tmp_path / "run.safetensors")
    more = ("--trade-off", tmp_path / "trade.png", "--record")
    out = aex_evaluate(ours, "--data", data, *QUICK, *FAST, "--beside", theirs, "--judge", theirs, *files, *more)
    assert "side by side" in out
    written = json.loads((tmp_path / "run.json").read_text())
    assert written["areas"]["images"] == 6
    assert written["comparison"][0]["worst_case_ratio"].keys() == {"value", "low", "high"}
    assert written["others"]["theirs"]["areas"]["images"] == 6
    assert [point["rms"] for point in written["robust_accuracy"]] == [0.01, 0.05]
    for name in ("run.png", "trade.png"):
        with Image.open(tmp_path / name) as picture:
            assert (picture.format, picture.size) == ("PNG", (1050, 675))
    scores = json.loads((ours / "model.json").read_text())["scores"]
    assert scores["accuracy"] == written["accuracy"]
    assert scores["readability"]["judge"] == "theirs"
    card = (ours / "CARD.md").read_text()
    assert "### robust accuracy" in card
    assert "| images | 6 |" in card
    assert "| measure | ours | theirs |" in card


def test_only_what_was_asked_for_is_measured(data: Path, tmp_path: Path) -> None:
    network = small_network()
    network.get_submodule("classifier").get_parameter("weight").mul_(
        1e-9
    )  # its logits are in the millions, where the cross entropy has no gradient
    save_checkpoint(tmp_path / "ours", network, small_description())
    with np.load(data) as arrays:
        images = arrays["test_images"]
    labels = network(torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255).argmax(1).numpy()  # all to be flipped
    np.savez(data, train_images=images, train_labels=np.arange(12) % 3, test_images=images, test_labels=labels)
    words = (tmp_path / "ours", "--data", data, *QUICK, "--json", tmp_path / "run.json", "--only", "attack")
    out = aex_evaluate(*words, "--step", "openvino")
    written = json.loads((tmp_path / "run.json").read_text())
    assert written["areas"]["attack_ara"]["value"] > 0
    assert (written["areas"]["worst_case_ara"], written["explanations"], written["robust_accuracy"]) == (None, None, [])
    assert "worst case ara" not in out
    by_openvino = written["areas"]["attack_ara"]["value"]
    aex_evaluate(*words)
    assert json.loads((tmp_path / "run.json").read_text())["areas"]["attack_ara"]["value"] == pytest.approx(by_openvino)


def test_what_a_later_run_does_not_measure_stays_recorded(data: Path, tmp_path: Path) -> None:
    ours = model(tmp_path / "ours", 0)
    for part in ("explanations", "worst_case", "fixed_sizes"):
        aex_evaluate(ours, "--data", data, *QUICK, *FAST, "--only", part, "--record")
    scores = json.loads((ours / "model.json").read_text())["scores"]
    assert scores["explanations"]["images"] == 6
    assert len(scores["robust_accuracy"]) == 2
    assert scores["areas"]["worst_case_ara"] is not None
    assert [run["parts"] for run in scores["runs"]] == [["explanations"], ["worst_case"], ["fixed_sizes"]]


def test_a_second_run_from_the_file_says_the_same(data: Path, tmp_path: Path) -> None:
    words = (model(tmp_path / "ours", 0), "--data", data, *QUICK, *FAST, "--resume", tmp_path / "run")
    assert aex_evaluate(*words) == aex_evaluate(*words)


def test_the_command_in_a_card_names_no_folder_outside(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = ["aex", "evaluate", "models/ours", "--data=/home/me/data.npz", "--beside", "../theirs/network"]
    monkeypatch.setattr("sys.argv", typed)
    aex_evaluate(model(tmp_path / "ours", 0), "--data", data, *QUICK, "--sizes", "", "--json", tmp_path / "run.json")
    written = json.loads((tmp_path / "run.json").read_text())
    assert written["runs"][0]["command"] == "aex evaluate models/ours --data=data.npz --beside network"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--only", "attack", "--trade-off", "t.png"), "--trade-off draws the worst case"),
        (("--only", "", "--plot", "p.png"), "name something in --only"),
        (("--only", "attack,btrs"), "--only has 'btrs'; it may name attack, btr, worst_case"),
        (("--sizes", "0.1,large"), "--sizes is"),
        (("--sizes", "2"), "up to 1"),
        (("--record",), "aex models import"),
        (("--json", "no-such-folder/run.json"), "no-such-folder/run.json cannot be written"),
    ],
)
def test_an_option_that_cannot_be_met_is_named(
    words: tuple[str, ...], sentence: str, data: Path, tmp_path: Path
) -> None:
    folder = model(tmp_path / "ours", 0)
    subject = folder / "weights.safetensors" if "--record" in words else folder
    with pytest.raises(AexError, match=sentence):
        aex_evaluate(subject, "--data", data, *words)


def test_a_judge_of_other_classes_is_refused(data: Path, tmp_path: Path) -> None:
    other = small_description()
    names = ("x", "y", "z")
    judge = tmp_path / "judge"
    save_checkpoint(judge, small_network(CONFIG), type(other)(**{**vars(other), "classes": names}))
    with pytest.raises(AexError, match="the same 3 classes"):
        aex_evaluate(model(tmp_path / "ours", 0), "--data", data, *QUICK, "--judge", judge)


def test_a_calibrated_model_knows_its_own_images_and_says_how_well(data: Path, tmp_path: Path) -> None:
    ours, flat = model(tmp_path / "ours", 0), tmp_path / "flat"
    (flat / "anywhere").mkdir(parents=True)
    for level in range(3):
        Image.new("RGB", (20, 20), (80 * level,) * 3).save(flat / "anywhere" / f"{level}.png")
    words = ("--only", "", "--calibrate", "--others", flat, "--sanity", "--quality", "--images", "2", "--record")
    out = aex_evaluate(ours, "--data", data, *words)
    assert "other images" in out
    scores = json.loads((ours / "model.json").read_text())["scores"]
    assert (scores["accuracy"], scores["own_images"]["train_images"]) == (0.5, 12)  # what was there stays
    (other,) = scores["other_images"]
    assert (other["other"], other["images"], other["auroc"]["value"], other["flagged"]["value"]) == (
        "flat",
        3,
        1.0,
        1.0,
    )
    assert {row["rank_correlation"] for row in scores["sanity"]} >= {"adversarial", "gradcam"}
    assert {row["by"] for row in scores["pixel_order"]} >= {"adversarial", "gradcam", "random", "edges"}
    loaded = load_checkpoint(ours, "cpu")
    assert loaded.domain is not None
    assert loaded.description.calibration is not None
    assert loaded.description.calibration.gain is not None
    assert loaded.description.calibration.gain.rho == 0.05
    assert loaded.description.calibration.stability is not None
    assert scores["stability_under_noise"]["images"] == 2
    card = (ours / "CARD.md").read_text()
    assert "called unlike the model's own" in card


def test_others_without_images_are_refused(data: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AexError, match="has no images that can be read"):
        aex_evaluate(
            model(tmp_path / "ours", 0), "--data", data, "--only", "", "--calibrate", "--others", tmp_path / "empty"
        )
