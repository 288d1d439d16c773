"""`aex explain --dicomweb`: an image of the archive, explained here or by a server, and what was made stored there."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.archive.address import InstanceAddress
from app.client import Client, InArchive
from tests.archive.server import TOKEN, TestArchive, archive_serving
from tests.cli.command import run_aex
from tests.images.apart.files import dicom_file
from tests.web.serving import save_models, serving, small_settings

Aex = Callable[..., tuple[int, str, str]]
CT = dicom_file("CT_small.dcm")
WORDS = ("--dicom", "secondary_capture", "--dicom", "report", "--target", "dog", "--steps", "1")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def archive() -> Iterator[TestArchive]:
    with archive_serving() as serving:
        yield serving


@pytest.fixture
def aex(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], models: Path, archive: TestArchive) -> Aex:
    """`aex(*words)` with that archive gives exit status, standard output and standard error."""
    settings = {"THREADS": "1", "DEFAULT_MODEL": "tiny", "MODELS_DIR": str(models)}
    settings |= {"DICOMWEB_URL": archive.url, "DICOMWEB_TOKEN": TOKEN}
    for name, value in settings.items():
        monkeypatch.setenv(f"AEX_{name}", value)
    return lambda *words: run_aex(monkeypatch, capsys, *words)


def text(address: InstanceAddress) -> str:
    return f"{address.study}/{address.series}/{address.instance}"


def stored_in(folder: Path) -> list[tuple[str, str | None, bool]]:
    answer = json.loads((folder / "explanation.json").read_text())
    return [(one["kind"], one["target"], one["stored"]) for one in answer["stored"]]


def test_an_image_of_the_archive_is_explained_and_stored_beside(aex: Aex, archive: TestArchive, tmp_path: Path) -> None:
    address = archive.add(CT)
    status, out, err = aex("explain", "--dicomweb", text(address), "--store", *WORDS, "--out", tmp_path)
    assert status == 0, err
    assert "report : The archive stored it." in out
    assert stored_in(tmp_path) == [("secondary_capture", "dog", True), ("report", None, True)]
    assert len(archive.files) == 3
    assert {path.name for path in tmp_path.iterdir()} >= {"heatmap-1-dog.png", "secondary_capture-1-dog.dcm"}
    assert address.study not in out + err + " ".join(str(path) for path in tmp_path.rglob("*"))


def test_what_is_not_stored_ends_in_an_error(aex: Aex, archive: TestArchive, tmp_path: Path) -> None:
    archive.refusing = ("1.2.840.10008.5.1.4.1.1.104.1",)  # Encapsulated PDF Storage
    words = ("explain", "--dicomweb", text(archive.add(CT)), "--store", *WORDS, "--out", tmp_path)
    status, _, err = aex(*words)
    assert status == 1
    assert "1 of 2 objects are not stored" in err
    assert stored_in(tmp_path) == [("secondary_capture", "dog", True), ("report", None, False)]


def test_a_server_fetches_it_itself(aex: Aex, models: Path, archive: TestArchive, tmp_path: Path) -> None:
    address = archive.add(CT)
    settings = small_settings(models, dicomweb_url=archive.url, dicomweb_token=TOKEN)
    with serving(settings) as served:
        server = str(served.client.base_url)
        words = ("explain", "--dicomweb", text(address), "--store", *WORDS, "--out", tmp_path, "--server", server)
        status, _, err = aex(*words)
        assert status == 0, err
        with Client(server) as client:
            found = client.predict(InArchive(address.study, address.series, address.instance))
            assert found.json["image"]["format"] == "DICOM"
    assert stored_in(tmp_path) == [("secondary_capture", "dog", True), ("report", None, True)]
    assert [one.method for one in archive.heard] == ["GET", "POST", "GET"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((), "Give image files, or --dicomweb"),
        (("scan.dcm", "--dicomweb", "1.2/1.2/1.2"), "Give image files, or --dicomweb"),
        (("scan.dcm", "--store"), "name one by --dicomweb"),
        (("--dicomweb", "1.2/1.2"), "--dicomweb must be STUDY/SERIES/INSTANCE"),
        (("--dicomweb", "1.2/1.2/1.2", "--store"), "include names nothing to store"),
        (("--dicomweb", "1.2/1.2/1.2"), "The DICOMweb archive has no image of these UIDs"),
    ],
)
def test_what_cannot_be_says_what_would_be_right(
    aex: Aex, tmp_path: Path, words: tuple[str, ...], sentence: str
) -> None:
    status, _, err = aex("explain", *words, "--out", tmp_path)
    assert status != 0
    assert sentence in " ".join(err.split())


def test_without_an_address_of_an_archive_it_says_so(aex: Aex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AEX_DICOMWEB_URL", "")
    status, _, err = aex("explain", "--dicomweb", "1.2/1.2/1.2", "--out", tmp_path)
    assert status != 0
    assert "--dicomweb needs AEX_DICOMWEB_URL" in " ".join(err.split())


def test_objects_without_their_study_are_not_stored(aex: Aex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AEX_STRIP_PHI", "true")
    status, _, err = aex("explain", "--dicomweb", "1.2/1.2/1.2", "--store", *WORDS, "--out", tmp_path)
    assert status != 0
    assert "--store is not offered" in " ".join(err.split())


def test_frames_of_an_image_of_the_archive_are_named_one_by_one(aex: Aex, archive: TestArchive, tmp_path: Path) -> None:
    address = text(archive.add(dicom_file("SC_rgb_rle_2frame.dcm")))
    words = ("explain", "--dicomweb", address, "--target", "dog", "--steps", "1", "--out", tmp_path)
    status, out, err = aex(*words, "--frame", "2")
    assert status == 0, err
    assert "frame 2 of 2" in out
    assert "--pages and --frames are of files" in aex(*words, "--frames", "all")[2]
