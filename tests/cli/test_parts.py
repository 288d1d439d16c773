"""Pages, frames, windows and regions of real files on the command line, which says what was used."""

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fpdf import FPDF
from PIL import Image

from tests.cli.command import run_aex
from tests.images.apart.files import dicom_file, heic
from tests.images.apart.test_series import SERIES, zipped
from tests.images.files import encoded, gradient
from tests.images.test_tiff_pages import tiff_of
from tests.web.serving import Served, save_models, serving, small_settings

Aex = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def served(models: Path) -> Iterator[Served]:
    with serving(small_settings(models)) as running:
        yield running


@pytest.fixture
def aex(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], models: Path) -> Aex:
    monkeypatch.setenv("AEX_THREADS", "1")
    monkeypatch.setenv("AEX_DEFAULT_MODEL", "tiny")
    monkeypatch.setenv("AEX_MODELS_DIR", str(models))
    return lambda *words: run_aex(monkeypatch, capsys, *words)


@pytest.fixture(params=["here", "there"])
def place(request: pytest.FixtureRequest, served: Served) -> list[str]:
    """Words that say whose model is asked: one's own, or a server's."""
    return ["--server", str(served.client.base_url)] if request.param == "there" else []


def letter() -> bytes:
    """Three pages as a program writes them: words, and a picture each."""
    document = FPDF(unit="pt", format=(144, 72))
    document.set_font("helvetica", size=12)
    for number in range(3):
        document.add_page()
        document.text(4, 12, f"Page {number + 1}")
        document.image(Image.fromarray(gradient() + number), 30, 10, 60, 50)
    return bytes(document.output())


FILES = {
    "letter.pdf": letter(),
    "scan.tif": tiff_of(),
    "slice.dcm": dicom_file("MR_small.dcm"),
    "cine.dcm": dicom_file("SC_rgb_rle_2frame.dcm"),
    "series.zip": zipped(SERIES),
    "phone.heic": heic(Image.new("RGB", (64, 48), "green"), Image.new("RGB", (64, 48), "red")),
    "plain.png": encoded(gradient(), "PNG"),
}
USED = [
    ("letter.pdf", [], "page 1 of 3"),
    ("letter.pdf", ["--page", "2"], "page 2 of 3"),
    ("scan.tif", ["--page", "3"], "page 3 of 3"),
    ("slice.dcm", ["--window", "500,1000"], "window 500, 1000 (center, width)"),
    ("slice.dcm", ["--region", "8,4,32,16"], "region 8, 4, 32, 16 (left, top, width, height)"),
    ("cine.dcm", ["--frame", "2"], "frame 2 of 2"),
    ("series.zip", ["--frame", "4", "--window", "30,60"], "frame 4 of 5; window 30, 60 (center, width)"),
    ("phone.heic", ["--frame", "2"], "frame 2 of 2"),
]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return {name: tmp_path / name for name in FILES}


@pytest.mark.parametrize(("name", "words", "used"), USED)
def test_each_command_says_which_part_was_used(
    aex: Aex,
    files: dict[str, Path],
    place: list[str],
    tmp_path: Path,
    models: Path,
    name: str,
    words: list[str],
    used: str,
) -> None:
    explaining = ["--target", "dog", "--steps", "1", "--out", tmp_path / "out"]
    for command in (["explain", files[name], *explaining, *place], ["predict", files[name], *place]):
        status, out, err = aex(*command, *words)
        assert (status, err) == (0, "")
        assert used in out
    if not place:
        assert used in aex("margins", files[name], *words)[1]
        audit = ["audit", models / "tiny", files[name], "--methods", "gradcam", "--steps", "1"]
        assert used in " ".join(aex(*audit, *words)[1].split())
    image = json.loads((tmp_path / "out" / "explanation.json").read_text())["image"]
    for kind in ("page", "frame"):
        if f"--{kind}" in words:
            assert str(image[kind]) == words[words.index(f"--{kind}") + 1]
    if "--region" in words:
        assert image["seen"] == {"left": 8, "top": 4, "width": 32, "height": 16}


def test_of_a_plain_picture_nothing_is_said(aex: Aex, files: dict[str, Path]) -> None:
    _, out, _ = aex("predict", files["plain.png"])
    assert not {"page", "frame", "window", "region"} & set(out.split())


@pytest.mark.parametrize("command", ["explain", "predict", "margins", "audit"])
def test_the_help_has_examples_of_each(aex: Aex, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = aex(command, "--help")
    for option in ("--page", "--frame", "--window", "--region"):
        assert out.count(option) >= 2


def test_every_page_is_predicted_in_a_line_of_its_own(aex: Aex, files: dict[str, Path], place: list[str]) -> None:
    status, out, _ = aex("predict", files["letter.pdf"], "--pages", "all", *place)
    assert status == 0
    lines = out.splitlines()
    assert [line.rpartition("(")[2] for line in lines] == [f"page {number} of 3)" for number in (1, 2, 3)]
    assert all(line.startswith(f"{files['letter.pdf']}: ") for line in lines)
    _, out, _ = aex("predict", files["series.zip"], "--frames", "2-3", "--json", *place)
    assert [json.loads(line)["image"]["frame"] for line in out.splitlines()] == [2, 3]


def test_every_page_is_explained_into_a_folder_of_its_own(
    aex: Aex, files: dict[str, Path], place: list[str], tmp_path: Path
) -> None:
    out, report = tmp_path / "out", tmp_path / "report.html"
    words = ["--target", "dog", "--steps", "2", "--out", out, "--report", report]
    assert aex("explain", files["letter.pdf"], "--pages", "all", *words, *place)[0] == 0
    assert {folder.name for folder in out.iterdir() if folder.is_dir()} == {"page-1", "page-2", "page-3"}
    for number in (1, 2, 3):
        answer = json.loads((out / f"page-{number}" / "explanation.json").read_text())
        assert (answer["image"]["page"], answer["image"]["pages"]) == (number, 3)
        named = {picture["file"] for picture in answer["explanations"][0]["pictures"].values()}
        assert {file.name for file in (out / f"page-{number}").iterdir()} == named | {"explanation.json"}
        assert answer["id"] in (tmp_path / f"report-page-{number}.html").read_text()
    assert (out / "sheet.png").exists() == (not place)


def test_several_files_of_several_pages_do_not_meet(aex: Aex, files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ["--pages", "1-2", "--target", "dog", "--steps", "1", "--out", out, "--report", tmp_path / "r.pdf"]
    assert aex("explain", files["letter.pdf"], files["scan.tif"], *words)[0] == 0
    written = {str(file.parent.relative_to(out)) for file in out.rglob("explanation.json")}
    assert written == {"letter/page-1", "letter/page-2", "scan/page-1", "scan/page-2"}
    reports = {file.name for file in tmp_path.glob("r-*.pdf")}
    assert reports == {f"r-{name}-page-{number}.pdf" for name in ("letter", "scan") for number in (1, 2)}


def test_a_broken_page_is_said_and_the_others_go_on(aex: Aex, files: dict[str, Path], place: list[str]) -> None:
    """The third page is smaller than the region."""
    status, out, err = aex("predict", files["scan.tif"], "--pages", "all", "--region", "0,0,8,6", *place)
    assert status == 1
    assert len(out.splitlines()) == 2
    assert f"{files['scan.tif']}, page 3: The region ends at 8, 6; the image has 5 x 4 pixels." in err
    assert "aex: 1 of 3 could not be answered, as said above." in err


@pytest.mark.parametrize(
    ("name", "words", "sentence"),
    [
        ("letter.pdf", ["--pages", "all", "--page", "1"], "pages and page are given; give one of them."),
        ("letter.pdf", ["--pages", "first"], "pages is 'first'; it must be all, or numbers and ranges from 1"),
        ("letter.pdf", ["--frames", "all"], "frame is not for a PDF, which has pages; give page."),
        ("plain.png", ["--pages", "all"], "page is for PDF and TIFF, and the file is a PNG"),
    ],
)
def test_what_is_asked_wrongly_is_said(
    aex: Aex, files: dict[str, Path], name: str, words: list[Any], sentence: str
) -> None:
    status, _, err = aex("predict", files[name], *words)
    assert status == 1
    assert sentence in err


def test_a_server_that_goes_away_is_said_once(aex: Aex, files: dict[str, Path]) -> None:
    status, _, err = aex("predict", files["letter.pdf"], "--pages", "all", "--server", "http://127.0.0.1:9")
    assert status == 1
    assert err.count("cannot be reached") == 1


def test_a_bar_counts_the_pages(aex: Aex, files: dict[str, Path]) -> None:
    with Image.open(io.BytesIO(files["scan.tif"].read_bytes())) as scan:
        assert getattr(scan, "n_frames", 1) == 3
    _, _, err = aex("predict", files["scan.tif"], "--pages", "all")
    assert "3/3" in err
