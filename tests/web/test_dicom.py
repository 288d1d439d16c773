"""DICOM in, DICOM out: objects for the patient's study, with the very numbers and on the right pixels."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import highdicom
import httpx
import numpy as np
import pydicom
import pytest
import torch
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import CTImageStorage

from app.images.fit import fitting
from tests.images.apart.files import dicom_file, grey_dataset, pdf, written
from tests.images.apart.private import private_words
from tests.web.serving import CLASSES, picture, save_tiny, serving, small_settings

EXPLAIN = "/v1/explanations"
CT = dicom_file("CT_small.dcm")
BOTH = "heatmap,secondary_capture,parametric_map,arrays"


def corner_scan(orientation: Sequence[float] = (1, 0, 0, 0, 1, 0)) -> bytes:
    """A slice, wider than high, that is black but for its upper right corner."""
    stored = np.zeros((24, 32), np.uint8)
    stored[:6, 26:] = 255
    dataset = grey_dataset(stored)
    dataset.SOPClassUID, dataset.PatientName, dataset.PatientID = CTImageStorage, "Roe^Jane", "4711"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(dataset, keyword, pydicom.uid.generate_uid(entropy_srcs=[keyword]))
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [-10, 20, 30], list(orientation)
    dataset.PixelSpacing, dataset.SliceThickness = [2, 3], 5
    return written(dataset)


def zipped(client: httpx.Client, upload: bytes, **options: Any) -> dict[str, bytes]:
    """The files of an answer, by name."""
    answer = client.post(
        EXPLAIN, files={"image": upload}, data={"steps": "3", **options}, headers={"Accept": "application/zip"}
    )
    with zipfile.ZipFile(io.BytesIO(answer.raise_for_status().content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def map_in(data: bytes) -> NDArray[Any]:
    (frame,) = highdicom.imread(io.BytesIO(data)).get_frames(apply_real_world_transform=True)
    return np.asarray(frame)


def test_a_map_read_back_is_the_raw_map_in_the_images_own_pixels(client: httpx.Client) -> None:
    files = zipped(client, corner_scan(), targets="dog", include=BOTH)
    with np.load(io.BytesIO(files["explanation.npz"])) as arrays:
        perturbation = torch.from_numpy(arrays["perturbation"][0]).permute(2, 0, 1)
    carried = fitting(24, 32, height=8, width=8, channels=3, fit="stretch").to_image(perturbation)
    np.testing.assert_array_equal(map_in(files["parametric_map-1-dog.dcm"]), carried.mean(axis=2))


@pytest.fixture(scope="module")
def letterboxing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server whose network sees all of an image of any shape, between bars."""
    folder = tmp_path_factory.mktemp("models")
    save_tiny(folder / "tiny", seed=1, fit="letterbox")
    with serving(small_settings(folder)) as served:
        yield served.client


@pytest.mark.parametrize(
    ("fit", "region", "bars"),
    [("stretch", (0, 0, 32, 24), 0), ("stretch", (16, 0, 16, 24), 0), ("letterbox", (0, 0, 32, 24), 1)],
)
def test_a_map_has_the_raw_numbers_on_the_pixels_that_each_is_of(
    client: httpx.Client, letterboxing: httpx.Client, fit: str, region: tuple[int, int, int, int], bars: int
) -> None:
    """Worked out by hand: over the pixels that one of the network's is of, the map's mean is the raw number."""
    asked, (left, top, width, height) = letterboxing if fit == "letterbox" else client, region
    words = ",".join(map(str, region))
    files = zipped(asked, corner_scan(), targets="dog", include=BOTH, region=words)
    with np.load(io.BytesIO(files["explanation.npz"])) as arrays:
        raw = arrays["perturbation"][0].mean(axis=2)[bars : 8 - bars]
    values = map_in(files["parametric_map-1-dog.dcm"])
    seen = values[top : top + height, left : left + width]
    rows, columns = height // len(raw), width // 8
    by_hand = seen.reshape(len(raw), rows, 8, columns).mean(axis=(1, 3))
    np.testing.assert_allclose(by_hand, raw, atol=2e-6)
    assert np.abs(raw).max() > 0.05
    unseen = values.copy()
    unseen[top : top + height, left : left + width] = 0
    assert not unseen.any()


@pytest.mark.parametrize("orientation", [(1, 0, 0, 0, 1, 0), (0, 1, 0, -1, 0, 0), (0.6, 0.8, 0, 0, 0, -1)])
def test_a_map_of_a_turned_slice_lies_where_the_slice_lies(client: httpx.Client, orientation: Sequence[float]) -> None:
    """Each corner of the map is at the scan's in the patient, in millimetres, by hand (PS3.3, C.7.6.2.1.1)."""
    files = zipped(client, corner_scan(orientation), targets="dog", include="parametric_map")
    made = highdicom.imread(io.BytesIO(files["parametric_map-1-dog.dcm"]))
    geometry = made.get_volume_geometry()
    assert geometry is not None
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    for row, column in ((0, 0), (0, 31), (23, 0), (23, 31)):
        by_hand = np.array([-10, 20, 30]) + 3 * column * along_row + 2 * row * along_column
        (found,) = geometry.map_indices_to_reference(np.array([[0, row, column]]))
        np.testing.assert_allclose(found, by_hand, atol=1e-9)


@pytest.mark.parametrize("region", [(16, 0, 16, 24), (20, 0, 12, 12)])
def test_the_overlay_of_a_region_lies_on_the_right_pixels(
    client: httpx.Client, region: tuple[int, int, int, int]
) -> None:
    left, top, width, height = region
    options = {"targets": "dog", "scale": "1", "include": "heatmap,secondary_capture"}
    files = zipped(client, corner_scan(), region=",".join(map(str, region)), **options)
    _require_corner(read(files["secondary_capture-1-dog.dcm"]).pixel_array, left, top, width, height)


def test_the_overlay_between_bars_lies_on_the_right_pixels(letterboxing: httpx.Client) -> None:
    options = {"targets": "dog", "scale": "1", "include": "heatmap,secondary_capture"}
    files = zipped(letterboxing, corner_scan(), **options)
    _require_corner(read(files["secondary_capture-1-dog.dcm"]).pixel_array, 0, 0, 32, 24)


def _require_corner(drawn: NDArray[np.uint8], left: int, top: int, width: int, height: int) -> None:
    """Within this part of the scan its bright corner, and nothing else, is bright."""
    factor = 11  # the least whole one that makes the shorter side 256 pixels
    bright = drawn.mean(axis=2)[: 24 * factor, : 32 * factor] > 128
    expected = np.zeros_like(bright)
    expected[: 6 * factor, 26 * factor :] = True
    part = np.s_[top * factor : (top + height) * factor, left * factor : (left + width) * factor]
    np.testing.assert_array_equal(bright[part], expected[part])


def test_the_overlay_lies_on_the_right_pixels(client: httpx.Client) -> None:
    """The bright corner of the scan is where it was, enlarged, above the colour bar."""
    answer = client.post(
        EXPLAIN,
        files={"image": corner_scan()},
        data={"steps": "3", "targets": "dog", "scale": "1", "include": "heatmap,secondary_capture"},
        headers={"Accept": "application/dicom"},
    ).raise_for_status()
    capture = read(answer.content)
    _require_corner(capture.pixel_array, 0, 0, 32, 24)
    assert answer.headers["content-type"] == "application/dicom"
    assert capture.Rows > 24 * 11


def test_objects_of_all_targets_come_in_a_zip_beside_the_json(client: httpx.Client) -> None:
    files = zipped(client, CT, targets="all", include="secondary_capture,parametric_map")
    objects = {name: read(content) for name, content in files.items() if name.endswith(".dcm")}
    assert len(objects) == 2 * len(CLASSES)
    assert {made.StudyInstanceUID for made in objects.values()} == {read(CT).StudyInstanceUID}
    assert len({made.SeriesInstanceUID for made in objects.values()}) == 2
    assert len({made.SOPInstanceUID for made in objects.values()}) == 2 * len(CLASSES)
    assert not [name for name in files if name.endswith(".png")]
    assert all(name in files["explanation.json"].decode() for name in objects)


def test_objects_stand_in_the_json_and_are_kept(client: httpx.Client) -> None:
    answer = client.post(EXPLAIN, files={"image": CT}, data={"steps": "1", "include": "secondary_capture"}).json()
    (first, _) = answer["explanations"]
    assert first["objects"]["secondary_capture"]["media_type"] == "application/dicom"
    again = client.get(f"{EXPLAIN}/{answer['id']}", headers={"Accept": "application/dicom"}).raise_for_status()
    assert read(again.content).InstanceNumber == 1


@pytest.mark.parametrize(
    ("upload", "include", "status", "slug", "sentence"),
    [
        (
            picture(),
            "secondary_capture",
            422,
            "no-such-part",
            "secondary_capture is made of DICOM images, and the file",
        ),
        (
            pdf(b""),
            "parametric_map",
            422,
            "no-such-part",
            "parametric_map is made of DICOM images, and the file is a PDF",
        ),
        (dicom_file("SC_rgb_rle.dcm"), "parametric_map", 422, "no-such-part", "Frame of Reference UID (0020,0052)"),
        (dicom_file("JPEGLSNearLossless_08.dcm"), "secondary_capture", 400, "damaged-image", "Study Instance UID"),
        (CT, "heatmap", 422, "invalid-option", "include names no DICOM object, but application/dicom was asked for"),
    ],
)
def test_what_no_object_can_be_made_of_is_said(
    client: httpx.Client, upload: bytes, include: str, status: int, slug: str, sentence: str
) -> None:
    answer = client.post(
        EXPLAIN, files={"image": upload}, data={"include": include}, headers={"Accept": "application/dicom"}
    )
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert sentence in answer.json()["detail"]


def test_the_report_of_a_dicom_image_is_filed_in_its_study(client: httpx.Client) -> None:
    kept = client.post(EXPLAIN, files={"image": CT}, data={"steps": "1"}).json()["id"]
    answer = client.get(f"{EXPLAIN}/{kept}/report.dcm").raise_for_status()
    made = read(answer.content)
    assert answer.headers["content-type"] == "application/dicom"
    assert made.StudyInstanceUID == read(CT).StudyInstanceUID
    assert made.EncapsulatedDocument.startswith(b"%PDF-")


def test_the_report_of_a_photograph_is_not(client: httpx.Client) -> None:
    kept = client.post(EXPLAIN, files={"image": picture()}, data={"steps": "1"}).json()["id"]
    answer = client.get(f"{EXPLAIN}/{kept}/report.dcm")
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/no-such-part")


def test_an_explanation_without_an_object_says_so(client: httpx.Client) -> None:
    kept = client.post(EXPLAIN, files={"image": CT}, data={"steps": "1"}).json()["id"]
    answer = client.get(f"{EXPLAIN}/{kept}", headers={"Accept": "application/dicom"})
    assert answer.status_code == 404
    assert "has no DICOM object" in answer.json()["detail"]


@pytest.fixture(scope="module")
def stripping(models_dir: Path) -> Iterator[httpx.Client]:
    """A client of a server with AEX_STRIP_PHI."""
    with serving(small_settings(models_dir, strip_phi=True)) as served:
        yield served.client


def test_a_server_that_strips_leaves_no_word_of_the_patients(stripping: httpx.Client) -> None:
    files = zipped(stripping, CT, targets="dog", include=BOTH)
    of = read(CT)
    words = (private_words("CT_small.dcm") | {str(of.PatientID), str(of.StudyDate)}) - {str(of.SOPClassUID)}
    objects = [content for name, content in files.items() if name.endswith(".dcm")]
    assert len(objects) == 2
    for content in objects:
        assert not [word for word in words if word.encode() in content]
