"""`aex` as a user types it, on real files and the shipped model."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.command import run_aex
from tests.images.apart.files import dicom_file, pdf

ROOT = Path(__file__).parents[2]
CAT = ROOT / "examples" / "cat-0.png"
SHIP = ROOT / "examples" / "ship-1.png"

Aex = Callable[..., tuple[int, str, str]]


@pytest.fixture
def aex(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Aex:
    """`aex(*words)` gives exit status, standard output and standard error."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("AEX_THREADS", "1")

    def run(*words: object) -> tuple[int, str, str]:
        return run_aex(monkeypatch, capsys, *words)

    return run


def test_explain_writes_pictures_and_the_answer(aex: Aex, tmp_path: Path) -> None:
    status, _, _ = aex("explain", CAT, "--target", "cat", "--rho", "0.05", "--arrays", "--out", tmp_path)
    assert status == 0
    written = {path.name for path in tmp_path.iterdir()}
    pictures = {"heatmap-3-cat.png", "perturbation-3-cat.png", "explained-3-cat.png"}
    assert written == pictures | {"explanation.json", "explanation.npz", "sheet.png"}
    answer = json.loads((tmp_path / "explanation.json").read_text())
    (one,) = answer["explanations"]
    assert one["target"] == "cat"
    assert one["pictures"]["explained"]["file"] == "explained-3-cat.png"
    with np.load(tmp_path / "explanation.npz", allow_pickle=False) as arrays:
        assert float(np.sqrt((arrays["perturbation"] ** 2).mean())) == pytest.approx(0.05, rel=0.02)


def test_the_quality_of_each_map_is_told_in_a_table(aex: Aex, tmp_path: Path) -> None:
    status, out, _ = aex("explain", CAT, "--quality", "--methods", "gradient", "--out", tmp_path / "out")
    assert status == 0
    answer = json.loads((tmp_path / "out" / "explanation.json").read_text())
    for one in answer["explanations"]:
        for found in one["quality"]["methods"].values():
            assert f"{found['deletion_area']:.3f}" in out
        assert f"{one['quality']['edges']['insertion_area']:.3f}" in out


def test_margins_are_told_in_a_table_and_in_sentences(aex: Aex) -> None:
    status, out, _ = aex("margins", CAT, "--certificate", "--sigma", "0.05", "--draws", "100")
    assert status == 0
    words = " ".join(out.split())
    assert "flips the class" in words
    assert "The smallest change found that flips the class has RMS" in words
    assert "of the smoothed classifier" in words


def test_margins_are_the_answers_own_json(aex: Aex) -> None:
    status, out, _ = aex("margins", CAT, SHIP, "--json")
    assert status == 0
    cat, ship = (json.loads(line) for line in out.splitlines())
    assert (Path(cat["file"]).name, cat["prediction"]["class"]) == ("cat-0.png", "cat")
    assert cat["margin"]["flip"]["perturbation_rms"] < ship["margin"]["flip"]["perturbation_rms"]


def test_a_sweep_is_written_as_pictures_of_each_size_and_of_them_all(aex: Aex, tmp_path: Path) -> None:
    status, _, _ = aex("explain", CAT, "--target", "dog", "--sweep", "0.02,0.05,0.1", "--out", tmp_path)
    assert status == 0
    (one,) = json.loads((tmp_path / "explanation.json").read_text())["explanations"]
    assert [point["rho"] for point in one["sweep"]] == [0, 0.02, 0.05, 0.1]
    rising = [point["probability_after"] for point in one["sweep"]]
    assert rising == sorted(rising)
    files = [*one["pictures"].values(), *(point["pictures"]["explained"] for point in one["sweep"]), one["animation"]]
    named = {file["file"] for file in files}
    assert named >= {"film_strip-5-dog.png", "curve-5-dog.png", "explained-5-dog-03.png", "animation-5-dog.webp"}
    assert {path.name for path in tmp_path.iterdir()} == named | {"explanation.json", "sheet.png"}


def test_what_explain_wrote_is_predicted_as_it_said(aex: Aex, tmp_path: Path) -> None:
    aex("explain", CAT, "--target", "dog", "--out", tmp_path)
    (one,) = json.loads((tmp_path / "explanation.json").read_text())["explanations"]
    _, out, _ = aex("predict", tmp_path / "explained-5-dog.png", "--top-k", "0", "--json")
    by_class = {entry["class"]: entry["probability"] for entry in json.loads(out)["prediction"]["top"]}
    assert by_class["dog"] == pytest.approx(one["probability_after"], abs=1e-5)


def test_a_second_opinion_is_printed_unless_it_is_not_wanted(aex: Aex) -> None:
    _, out, _ = aex("predict", CAT)
    assert "second opinion, by cifar10_plain: " in out
    _, out, _ = aex("predict", CAT, "--no-second-opinion")
    assert "second opinion" not in out


def test_several_images_get_a_folder_each_and_one_sheet(aex: Aex, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "cat-0.png").write_bytes(SHIP.read_bytes())
    status, _, err = aex("explain", CAT, tmp_path / "in" / "cat-0.png", "--steps", "3", "--out", tmp_path / "out")
    assert status == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"cat-0", "cat-0-2", "sheet.png"}
    assert "explaining" in err
    with Image.open(tmp_path / "out" / "sheet.png") as sheet:
        assert sheet.height > 2 * 192


def test_each_image_gets_a_report_of_its_own(aex: Aex, tmp_path: Path) -> None:
    files = [tmp_path / "r.pdf", tmp_path / "r.html"]
    words = ["--steps", "1", "--out", tmp_path / "out", "--report", files[0], "--report", files[1]]
    assert aex("explain", CAT, SHIP, *words)[0] == 0
    written = {path.name for path in tmp_path.glob("r*")}
    assert written == {"r-cat-0.pdf", "r-cat-0.html", "r-ship-1.pdf", "r-ship-1.html"}
    assert (tmp_path / "r-ship-1.pdf").read_bytes().startswith(b"%PDF-")
    assert "<td>ship-1.png</td>" in (tmp_path / "r-ship-1.html").read_text()


@pytest.mark.parametrize(("name", "said"), [("r.txt", "ends in .html or .pdf"), ("no/r.pdf", "make it first")])
def test_a_report_that_cannot_be_written_is_refused_at_once(aex: Aex, tmp_path: Path, name: str, said: str) -> None:
    status, _, err = aex("explain", "nowhere.png", "--out", tmp_path, "--report", tmp_path / name)
    assert status == 1
    assert said in err


def test_an_image_that_is_none_is_named_with_what_was_wrong(aex: Aex, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("hello")
    status, _, err = aex("predict", note)
    assert status == 1
    assert err.startswith(f"aex: {note}: These bytes are no image that is read here")


def test_a_missing_file_is_named(aex: Aex) -> None:
    status, _, err = aex("predict", "nowhere.png")
    assert (status, err) == (1, "aex: nowhere.png cannot be read: No such file or directory.\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--rho", "2"), "rho is 2; it is an RMS pixel size above 0 and at most 1."),
        (("--scale", "big"), "scale is 'big'; it is a pixel level above 0 and at most 1, or auto."),
        (("--sweep", "some"), "sweep is 'some'; it is a number of sizes, or the sizes, such as 0.01,0.02,0.05."),
        (("--sweep", "0.2,0.1"), "sweep has 0.1 after 0.2; its sizes must rise from above 0, to at most 1."),
        (("--method", "slow"), "method 'slow' is not offered; it must be one of fast, paper, counterfactual."),
        (("--target", "unicorn"), "target 'unicorn' is no class of this model"),
        (("--model", "none"), "There is no model none; available: "),
    ],
)
def test_an_option_that_cannot_be_says_what_would_be_right(
    aex: Aex, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    status, _, err = aex("explain", CAT, "--out", tmp_path, *words)
    assert status == 1
    assert sentence in err


def test_models_are_listed_and_shown(aex: Aex) -> None:
    assert "cifar10" in aex("models", "list")[1]
    _, shown, _ = aex("models", "show", "cifar10")
    assert "SHA-256 of the weights: " in shown


def test_an_imported_model_answers(aex: Aex, reference_dir: Path, tmp_path: Path) -> None:
    file = reference_dir / "resnet44-all.safetensors"
    assert aex("models", "import", file, "--name", "theirs", "--models", tmp_path)[0] == 0
    status, _, err = aex("models", "import", file, "--name", "theirs", "--models", tmp_path)
    assert status == 1
    assert "--force" in err


def test_importing_what_is_no_network_says_what_was_found(aex: Aex, tmp_path: Path) -> None:
    status, _, err = aex("models", "import", CAT, "--name", "cat", "--models", tmp_path)
    assert status == 1
    assert "PNG" in err


def toy_data(folder: Path) -> Path:
    """Dark and light images, 8x8, of two classes; none stands in both splits."""
    label = np.arange(256) % 2
    noise = np.random.default_rng(0).integers(0, 60, (2, 256, 8, 8, 3))
    train, test = (noise + 190 * label[:, None, None, None]).astype(np.uint8)
    file = folder / "toy.npz"
    np.savez(file, train_images=train, train_labels=label, test_images=test, test_labels=label)
    return file


@pytest.mark.slow
def test_a_trained_model_is_measured_and_explains(aex: Aex, tmp_path: Path) -> None:
    data, model = toy_data(tmp_path), tmp_path / "models" / "toy"
    words = ("--run", tmp_path / "run", "--epochs", "2", "--no-compile", "--source", "Made by a test.")
    assert aex("train", "small-robust", "--data", data, "--out", model, *words)[0] == 0
    assert aex("evaluate", model, "--data", data, "--images", "4", "--steps", "5", "--record")[0] == 0
    described = json.loads((model / "model.json").read_text())
    assert "accuracy" in json.dumps(described["scores"])
    assert "Made by a test." in (model / "CARD.md").read_text()
    file = io.BytesIO()
    Image.new("RGB", (16, 16), "white").save(file, "PNG")
    (tmp_path / "white.png").write_bytes(file.getvalue())
    ask = ("--model", "toy", "--models", model.parent, "--out", tmp_path / "out")
    status, _, err = aex("explain", tmp_path / "white.png", *ask)
    assert status == 0, err


@pytest.mark.parametrize("command", ["serve", "explain", "predict", "train", "evaluate"])
def test_help_has_examples(aex: Aex, command: str) -> None:
    status, out, _ = aex(command, "--help")
    assert status == 0
    assert f"aex {command}" in out.replace("Usage: aex", "")


def test_a_page_a_frame_and_a_window_are_chosen_and_said(aex: Aex, tmp_path: Path) -> None:
    scan, letter = tmp_path / "scan", tmp_path / "letter.png"
    scan.write_bytes(dicom_file("MR_small.dcm"))
    letter.write_bytes(pdf(b"1 0 0 rg 0 0 72 72 re f", b""))
    _, out, _ = aex("predict", scan, "--frame", "1", "--window=-20,400", "--json")
    image = json.loads(out)["image"]
    assert (image["frame"], image["window"]) == (1, {"center": -20, "width": 400})
    status, _, _ = aex("explain", letter, "--page", "2", "--steps", "1", "--out", tmp_path / "out")
    image = json.loads((tmp_path / "out" / "explanation.json").read_text())["image"]
    assert (status, image["format"], image["page"]) == (0, "PDF", 2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--window", "wide"), "window is 'wide'; it must be center,width: two numbers, the width above 0."),
        (("--frame", "2"), "frame is 2; this file has 1, counted from 1."),
    ],
)
def test_a_part_that_cannot_be_says_what_would_be_right(aex: Aex, words: tuple[str, ...], sentence: str) -> None:
    status, _, err = aex("predict", CAT, *words)
    assert status == 1
    assert sentence in err


def test_dicom_objects_are_written_where_they_are_asked_for(aex: Aex, tmp_path: Path) -> None:
    scan = tmp_path / "scan"
    scan.write_bytes(dicom_file("CT_small.dcm"))
    words = ("--dicom", "secondary_capture", "--dicom", "parametric_map", "--target", "dog", "--steps", "1")
    status, _, err = aex("explain", scan, *words, "--out", tmp_path / "out")
    assert status == 0, err
    written = {path.name for path in (tmp_path / "out").glob("*.dcm")}
    assert written == {"secondary_capture-5-dog.dcm", "parametric_map-5-dog.dcm"}
