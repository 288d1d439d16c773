"""DICOM objects, read back by pydicom and highdicom and judged by dciodvfy."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    NuclearMedicineImageStorage,
    PositronEmissionTomographyImageStorage,
    XRayAngiographicImageStorage,
)

from app.errors import DamagedImage, NoSuchPart
from app.images.apart.object_facts import ObjectFacts
from app.images.apart.process import check_writable, write_apart
from tests.images.apart.files import dicom_file, grey_dataset, grey_dicom, pdf, written
from tests.images.apart.objects import errors_in
from tests.images.apart.private import private_words

CT, US, CINE = "CT_small.dcm", "examples_rgb_color.dcm", "examples_ybr_color.dcm"
MADE = {
    "PT": PositronEmissionTomographyImageStorage,
    "NM": NuclearMedicineImageStorage,
    "XA": XRayAngiographicImageStorage,
    "CR": ComputedRadiographyImageStorage,
    "MG": DigitalMammographyXRayImageStorageForPresentation,
}
"""Modalities of which there is no file, or none that says where it lies."""

FROM = (CT, US, CINE, "MR_small.dcm", "693_J2KI.dcm", "JPEG2000.dcm", "rtdose.dcm", "SC_rgb_rle.dcm", "CR", "MG")
MAPPED = (CT, "MR_small.dcm", "rtdose.dcm", "liver_1frame.dcm", *MADE)
FACTS = ObjectFacts(
    kind="secondary_capture",
    frame=1,
    key="01JDB6K2N8Q0X5V3T7YH4R9WZC",
    number=1,
    title="Adversarial explanation",
    description="More of caf\u00e9, RMS 0.1",
    model="cifar10",
    weights="0123456789ab",
    scale=0.3,
    stripped=False,
)
MAP = replace(FACTS, kind="parametric_map")
FILED = replace(FACTS, kind="encapsulated_pdf")
REPORT = pdf(b"1 0 0 rg 0 0 72 72 re f")
PIXELS = np.random.default_rng(0).integers(0, 256, (33, 21, 3), dtype=np.uint8)
VALUES = np.random.default_rng(1).normal(0, 0.1, (128, 128)).astype(np.float32)
REQUIRED = ("StudyInstanceUID", "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "AccessionNumber")


def write(name: str, values: NDArray[Any], facts: ObjectFacts) -> bytes:
    return write_apart(uploaded(name), values, facts, max_seconds=30)


def uploaded(name: str) -> bytes:
    """One of pydicom's files, or a slice of the modality of that name."""
    if name not in MADE:
        return dicom_file(name)
    dataset = grey_dataset(np.arange(12 * 16, dtype=np.uint16).reshape(12, 16))
    dataset.Modality, dataset.SOPClassUID = name, MADE[name]
    dataset.PatientName, dataset.PatientID, dataset.StudyDate = "Roe^Jane", "4711", "20260102"
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        setattr(dataset, keyword, pydicom.uid.generate_uid(entropy_srcs=[name, keyword]))
    dataset.ImagePositionPatient, dataset.ImageOrientationPatient = [-10, 20, 30], [0, 1, 0, 0, 0, -1]
    dataset.PixelSpacing, dataset.SliceThickness = [2, 3], 5
    return written(dataset)


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def source(name: str) -> Dataset:
    return read(uploaded(name))


@pytest.mark.parametrize("name", [CT, US, CINE, "MR_small.dcm"])
def test_a_capture_holds_the_picture_and_belongs_to_the_patients_study(name: str) -> None:
    made, of = read(write(name, PIXELS, FACTS)), source(name)
    np.testing.assert_array_equal(made.pixel_array, PIXELS)
    assert made.SOPClassUID.name == "Secondary Capture Image Storage"
    assert {keyword: made.get(keyword) for keyword in REQUIRED} == {
        keyword: of.get(keyword, "") for keyword in REQUIRED
    }
    assert made.SeriesInstanceUID != of.SeriesInstanceUID
    (referred,) = made.SourceImageSequence
    assert (referred.ReferencedSOPClassUID, referred.ReferencedSOPInstanceUID) == (of.SOPClassUID, of.SOPInstanceUID)


def test_a_capture_refers_to_the_frame_that_was_taken() -> None:
    made = read(write(CINE, PIXELS, replace(FACTS, frame=15)))
    assert made.SourceImageSequence[0].ReferencedFrameNumber == 15
    assert "ReferencedFrameNumber" not in read(write(CT, PIXELS, FACTS)).SourceImageSequence[0]


def test_a_map_is_read_back_as_the_very_numbers() -> None:
    image = highdicom.imread(io.BytesIO(write(CT, VALUES, MAP)))
    (frame,) = image.get_frames(apply_real_world_transform=True)
    np.testing.assert_array_equal(frame.astype(np.float32), VALUES)


def test_a_map_lies_where_its_image_lies() -> None:
    made, of = read(write(CT, VALUES, MAP)), source(CT)
    shared, own = made.SharedFunctionalGroupsSequence[0], made.PerFrameFunctionalGroupsSequence[0]
    assert made.FrameOfReferenceUID == of.FrameOfReferenceUID
    assert own.PlanePositionSequence[0].ImagePositionPatient == of.ImagePositionPatient
    assert shared.PlaneOrientationSequence[0].ImageOrientationPatient == of.ImageOrientationPatient
    assert shared.PixelMeasuresSequence[0].PixelSpacing == of.PixelSpacing
    assert made.StudyInstanceUID == of.StudyInstanceUID
    (referred,) = own.DerivationImageSequence[0].SourceImageSequence
    assert (referred.ReferencedSOPClassUID, referred.ReferencedSOPInstanceUID) == (of.SOPClassUID, of.SOPInstanceUID)


def test_objects_of_one_explanation_share_their_series_and_have_ids_of_their_own() -> None:
    first, again, second = (read(write(CT, PIXELS, facts)) for facts in (FACTS, FACTS, replace(FACTS, number=2)))
    assert first.SeriesInstanceUID == second.SeriesInstanceUID
    assert first.SOPInstanceUID == again.SOPInstanceUID != second.SOPInstanceUID
    other = read(write(CT, PIXELS, replace(FACTS, key="another")))
    assert other.SeriesInstanceUID != first.SeriesInstanceUID
    assert read(write(CT, VALUES, MAP)).SeriesInstanceUID != first.SeriesInstanceUID


@pytest.mark.parametrize("stripped", [False, True])
@pytest.mark.parametrize("name", FROM)
def test_captures_conform(name: str, stripped: bool, tmp_path: Path) -> None:
    assert errors_in(write(name, PIXELS, replace(FACTS, stripped=stripped)), tmp_path) == []


@pytest.mark.parametrize("stripped", [False, True])
@pytest.mark.parametrize("name", MAPPED)
def test_maps_conform(name: str, stripped: bool, tmp_path: Path) -> None:
    values = np.resize(VALUES, (source(name).Rows, source(name).Columns))
    assert errors_in(write(name, values, replace(MAP, stripped=stripped)), tmp_path) == []


@pytest.mark.parametrize("stripped", [False, True])
@pytest.mark.parametrize("name", FROM)
def test_reports_conform_and_hold_the_file(name: str, stripped: bool, tmp_path: Path) -> None:
    made = write(name, np.frombuffer(REPORT, np.uint8), replace(FILED, stripped=stripped))
    assert errors_in(made, tmp_path) == []
    dataset = read(made)
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength] == REPORT
    if not stripped:
        assert dataset.StudyInstanceUID == source(name).StudyInstanceUID
        assert dataset.SourceInstanceSequence[0].ReferencedSOPInstanceUID == source(name).SOPInstanceUID


@pytest.mark.parametrize(
    ("values", "facts"),
    [(PIXELS, FACTS), (VALUES, MAP), (np.frombuffer(REPORT, np.uint8), FILED)],
    ids=["capture", "map", "report"],
)
def test_a_stripped_object_has_no_word_of_the_patients(values: NDArray[Any], facts: ObjectFacts) -> None:
    made = write(CT, values, replace(facts, stripped=True))
    of = source(CT)
    words = private_words(CT) | {str(of.StudyInstanceUID), str(of.PatientID), str(of.StudyDate)}
    words -= {str(of.SOPClassUID)}
    assert len(words) > 10
    assert not [word for word in words if word.encode() in made]
    assert read(made).PatientIdentityRemoved == "YES"
    assert read(made).PatientName == ""


def test_an_image_without_a_study_is_refused_by_its_tag() -> None:
    with pytest.raises(DamagedImage, match=r"Study Instance UID \(0020,000D\) is missing or damaged"):
        check_writable(grey_dicom(np.zeros((4, 4), np.uint8)), FACTS, max_seconds=30)


def test_a_map_of_an_image_without_a_place_is_refused_by_its_tags() -> None:
    check_writable(dicom_file(US), FACTS, max_seconds=30)
    with pytest.raises(NoSuchPart, match=r"Frame of Reference UID \(0020,0052\), Image Position \(Patient\)"):
        check_writable(dicom_file(US), MAP, max_seconds=30)
