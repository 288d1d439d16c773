"""DICOM objects for the study of the image that they were made from: Secondary Captures, Parametric Maps, reports.

They carry the patient and the study of that image as they stand there, a series of their own, and a reference to the
image and its frame. Stripped ones carry pixels, and UIDs that lead nowhere.
"""

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from highdicom import VOILUTFunctionValues, VOILUTTransformation
from highdicom.pm import ParametricMap, RealWorldValueMapping
from numpy.typing import NDArray
from pydicom import Dataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID, EncapsulatedPDFStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from app.errors import DamagedImage, NoSuchPart
from app.images.apart.dicom import described, parse_dicom
from app.images.apart.dicom_frames import of_frame
from app.images.apart.object_facts import ObjectFacts, WrittenKind, made_uid
from app.images.apart.series import file_of_frame

MANUFACTURER = "Adversarial explanations"
SERIES_NUMBERS = {"secondary_capture": 9901, "parametric_map": 9902, "encapsulated_pdf": 9903}
MAX_TEXT = 64  # characters of a value representation LO

UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
PATIENT_AND_STUDY = (
    "PatientName", "PatientID", "IssuerOfPatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientSize",
    "PatientWeight", "StudyDate", "StudyTime", "StudyID", "StudyDescription", "AccessionNumber",
    "ReferringPhysicianName",
)  # fmt: skip
NEVER_ABSENT = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
PLACE = {"PlanePositionSequence": ("ImagePositionPatient",), "PlaneOrientationSequence": ("ImageOrientationPatient",)}
WHERE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
MEASURES = {"PixelMeasuresSequence": ("PixelSpacing", "SliceThickness")}


def write_object(upload: bytes, values: NDArray[Any], facts: ObjectFacts) -> bytes:
    """The file of one object.

    Args:
        upload: the DICOM image that the object is made from.
        values: RGB uint8 (rows, columns, 3) of a Secondary Capture; float32 (rows, columns) of a Parametric Map, in the
            image's own pixels; uint8 (bytes,) of a PDF.
        facts: about it.

    Raises:
        DamagedImage: the image lacks what a study is made of.
        NoSuchPart: it has no place in the patient, which a map must have.
    """
    image = _image(upload, facts)
    made = WRITERS[facts.kind](image, values, facts)
    if facts.stripped:
        made.PatientIdentityRemoved, made.DeidentificationMethod = "YES", "Made anew; only pixels are of the source"
    file = io.BytesIO()
    dcmwrite(file, made, enforce_file_format=True)
    return file.getvalue()


def check_object(upload: bytes, _: NDArray[Any], facts: ObjectFacts) -> bytes:
    """Nothing, where `write_object` could write such an object; raises as it does."""
    _image(upload, facts)
    return b""


def _image(upload: bytes, facts: ObjectFacts) -> "_ImageOfStudy":
    upload, frame = file_of_frame(upload, facts.frame)
    image = _ImageOfStudy(parse_dicom(upload), replace(facts, frame=frame))
    if facts.kind == "parametric_map" and "FrameOfReferenceUID" not in image.header:
        raise NoSuchPart(
            "A parametric_map lies in the patient's frame of reference, and the DICOM file does not say where it lies:"
            f" {', '.join(described(keyword) for keyword in ('FrameOfReferenceUID', *WHERE))}. Ask for"
            " secondary_capture or arrays."
        )
    return image


class _ImageOfStudy:
    """What an object says of the image that it was made from.

    Attributes:
        header: patient, study, ids and place of one frame, as of an image of that frame alone.
        class_uid: the image's own class.
        frame: that is referred to, None where it is the only one.
    """

    def __init__(self, source: Dataset, facts: ObjectFacts) -> None:
        self.header = Dataset()
        for keyword in UIDS:
            setattr(self.header, keyword, _uid(source, keyword))
        self.class_uid = self.header.SOPClassUID
        self.frame = facts.frame if (source.get("NumberOfFrames") or 1) > 1 else None
        if facts.stripped:
            for keyword in UIDS[:-1]:
                setattr(self.header, keyword, UID(made_uid(facts.key, keyword)))
        else:
            self._copy(source, ("SpecificCharacterSet", *PATIENT_AND_STUDY))
        for keyword in NEVER_ABSENT:
            if keyword not in self.header:
                setattr(self.header, keyword, "")
        self._copy(source, ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"))
        self._copy_place(source, facts)

    def _copy(self, source: Dataset, keywords: tuple[str, ...]) -> None:
        """Each element with a value that can be read and may be written; broken ones are left out."""
        for keyword in keywords:
            try:
                value = source.get(keyword)
                _check(keyword, value)
            except (ValueError, TypeError, AttributeError, NotImplementedError):
                continue
            if value is not None:
                setattr(self.header, keyword, value)

    def _copy_place(self, source: Dataset, facts: ObjectFacts) -> None:
        """Where the frame lies in the patient, if the image says all of it."""
        for sequence, keywords in (PLACE | MEASURES).items():
            self._copy(of_frame(source, facts.frame, sequence), keywords)
        if "FrameOfReferenceUID" in source and all(keyword in self.header for keyword in WHERE):
            uid = UID(made_uid(facts.key, "frame")) if facts.stripped else _uid(source, "FrameOfReferenceUID")
            self.header.FrameOfReferenceUID = uid
            self.header.PositionReferenceIndicator = ""
            if "SliceThickness" not in self.header:
                self.header.SliceThickness = None  # highdicom asks for it; what is empty is taken away again

    def reference(self) -> Dataset:
        """An item that refers to the image, and to its frame where it has several."""
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = self.class_uid, self.header.SOPInstanceUID
        if self.frame is not None:
            item.ReferencedFrameNumber = self.frame
        return item


def _uid(source: Dataset, keyword: str) -> UID:
    try:
        uid = UID(str(source[keyword].value))
    except (KeyError, ValueError, TypeError):
        uid = UID("")
    if not uid.is_valid or not uid:
        raise DamagedImage(
            f"The DICOM file's {described(keyword)} is missing or damaged: nothing can be put beside it."
        )
    return uid


def _check(keyword: str, value: object) -> None:
    """Raise where others would raise later."""
    if value and keyword.endswith("Date") and not re.fullmatch(r"\d{8}", str(value)):
        raise ValueError
    if value and keyword.endswith("Time") and not re.fullmatch(r"\d{2,6}(\.\d{1,6})?", str(value)):
        raise ValueError
    if keyword == "PatientSex" and value not in (None, "", "M", "F", "O"):
        raise ValueError


def _text(text: str, most: int = MAX_TEXT) -> str:
    """What any character set can hold, and a backslash would part in two."""
    return text.encode("ascii", "replace").decode("ascii").replace("\\", "/")[:most]


def _series(facts: ObjectFacts) -> dict[str, Any]:
    return {
        "series_instance_uid": UID(made_uid(facts.key, facts.kind)),
        "series_number": SERIES_NUMBERS[facts.kind],
        "sop_instance_uid": UID(facts.sop_instance_uid),
        "instance_number": facts.number,
        "series_description": _text(facts.title),
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": _text(facts.model),
        "software_versions": facts.weights,
    }


def _in_study(image: _ImageOfStudy, facts: ObjectFacts) -> Dataset:
    """Patient, study, series and equipment of an object that pydicom writes."""
    made, now, series = Dataset(), datetime.now(UTC), _series(facts)
    for keyword in ("SpecificCharacterSet", "StudyInstanceUID", *PATIENT_AND_STUDY):
        if keyword in image.header:
            made[keyword] = image.header[keyword]
    made.SOPInstanceUID, made.InstanceNumber = series["sop_instance_uid"], series["instance_number"]
    made.SeriesInstanceUID, made.SeriesNumber = series["series_instance_uid"], series["series_number"]
    made.SeriesDescription, made.ConversionType, made.Laterality = series["series_description"], "WSD", ""
    made.Manufacturer, made.ManufacturerModelName = series["manufacturer"], series["manufacturer_model_name"]
    made.SoftwareVersions = series["software_versions"]
    made.ContentDate, made.ContentTime = now.strftime("%Y%m%d"), now.strftime("%H%M%S")
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return made


def _secondary_capture(image: _ImageOfStudy, pixels: NDArray[np.uint8], facts: ObjectFacts) -> Dataset:
    made = _in_study(image, facts)
    for keyword in ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if keyword in image.header:
            made[keyword] = image.header[keyword]
    made.SOPClassUID, made.Modality, made.PatientOrientation = SecondaryCaptureImageStorage, "OT", ""
    made.ImageType, made.DerivationDescription = ["DERIVED", "SECONDARY"], _text(facts.description, 1024)
    made.SourceImageSequence = [image.reference()]
    made.Rows, made.Columns, made.SamplesPerPixel = *pixels.shape[:2], 3
    made.PhotometricInterpretation, made.PlanarConfiguration, made.PixelRepresentation = "RGB", 0, 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 8, 8, 7
    made.PixelData = pixels.tobytes() + b"\0" * (pixels.size % 2)
    return made


def _encapsulated_pdf(image: _ImageOfStudy, content: NDArray[np.uint8], facts: ObjectFacts) -> Dataset:
    made = _in_study(image, facts)
    made.SOPClassUID, made.Modality, made.AcquisitionDateTime = EncapsulatedPDFStorage, "DOC", ""
    made.BurnedInAnnotation, made.ConceptNameCodeSequence = "YES", []
    made.DocumentTitle, made.MIMETypeOfEncapsulatedDocument = _text(facts.title, 1024), "application/pdf"
    made.SourceInstanceSequence = [image.reference()]
    made.EncapsulatedDocumentLength = content.size
    made.EncapsulatedDocument = content.tobytes() + b"\0" * (content.size % 2)
    return made


def _parametric_map(image: _ImageOfStudy, values: NDArray[np.float32], facts: ObjectFacts) -> Dataset:
    header = image.header
    header.Rows, header.Columns, header.Modality = *values.shape, "OT"
    header.SOPClassUID = (
        SecondaryCaptureImageStorage  # others ask for what an image may lack, or are unknown to highdicom
    )
    most = max(1.0, float(np.abs(values).max()))
    unit = RealWorldValueMapping(
        lut_label="CHANGE",
        lut_explanation="Change of pixel level, black 0 and white 1",
        unit=codes.UCUM.NoUnits,
        value_range=(-most, most),
        slope=1.0,
        intercept=0.0,
    )
    made = ParametricMap(
        [header],
        np.ascontiguousarray(values, dtype=np.float32)[None],
        device_serial_number=facts.weights,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[unit],
        voi_lut_transformations=[
            VOILUTTransformation(0.0, 2 * facts.scale, voi_lut_function=VOILUTFunctionValues.LINEAR_EXACT)
        ],
        content_label="CHANGE",
        content_description=_text(facts.description),
        **_series(facts),
    )
    made.DerivationDescription, made.Laterality = _text(facts.description, 1024), ""
    for item in _items(made):
        if item.get("ReferencedSOPInstanceUID") == header.SOPInstanceUID:
            item.update(image.reference())
        if "SliceThickness" in item and item.SliceThickness is None:
            del item.SliceThickness
    return made


WRITERS: Mapping[WrittenKind, Callable[[_ImageOfStudy, NDArray[Any], ObjectFacts], Dataset]] = {
    "secondary_capture": _secondary_capture,
    "parametric_map": _parametric_map,
    "encapsulated_pdf": _encapsulated_pdf,
}


def _items(dataset: Dataset) -> list[Dataset]:
    """All items of all sequences."""
    found = [item for element in dataset if element.VR == "SQ" for item in element.value]
    return found + [below for item in found for below in _items(item)]
