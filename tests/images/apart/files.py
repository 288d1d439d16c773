"""Small files of the formats that are read apart, made in memory or found within pydicom."""

import io
from pathlib import Path
from typing import Any

import pillow_heif
import pydicom.data
from numpy.typing import NDArray
from PIL import Image
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

TEST_FILES = Path(pydicom.data.__file__).parent / "test_files"


def dicom_file(name: str) -> bytes:
    """One of the files that come with pydicom."""
    return (TEST_FILES / name).read_bytes()


def grey_dicom(stored: NDArray[Any], **elements: Any) -> bytes:
    """A DICOM file of stored values (rows, columns) or (frames, rows, columns), with these elements in it."""
    dataset = grey_dataset(stored)
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return written(dataset)


def grey_dataset(stored: NDArray[Any]) -> Dataset:
    """What `grey_dicom` writes."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid(entropy_srcs=["test"])
    dataset.PhotometricInterpretation, dataset.SamplesPerPixel = "MONOCHROME2", 1
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    if stored.ndim == 3:
        dataset.NumberOfFrames = len(stored)
    dataset.BitsAllocated = dataset.BitsStored = 8 * stored.dtype.itemsize
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    dataset.PixelData = stored.tobytes() + b"\0" * (stored.nbytes % 2)
    return dataset


def written(dataset: Dataset) -> bytes:
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    return file.getvalue()


def pdf(*pages: bytes, size: tuple[int, int] = (144, 72), catalog: bytes = b"", trailer: bytes = b"") -> bytes:
    """A PDF of these pages' drawing commands, each page of this width and height in points."""
    kids = b" ".join(b"%d 0 R" % (3 + 2 * number) for number in range(len(pages)))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R" + catalog + b">>",
        b"<</Type/Pages/Count %d/Kids[%s]>>" % (len(pages), kids),
    ]
    for number, commands in enumerate(pages):
        box = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 %d %d]/Contents %d 0 R>>" % (*size, 4 + 2 * number)
        objects += [box, stream(commands)]
    return pdf_of(objects, trailer)


def stream(content: bytes, entries: bytes = b"") -> bytes:
    """A stream object of a PDF."""
    return b"<<%s/Length %d>>stream\n%s\nendstream" % (entries, len(content), content)


def pdf_of(objects: list[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of these objects, numbered from 1, the first of them its catalogue."""
    file, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(file))
        file += b"%d 0 obj%s endobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer<</Size %d/Root 1 0 R%s>>startxref\n%d\n%%%%EOF" % (len(objects) + 1, trailer, len(file))
    return file + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def heic(*pictures: Image.Image, primary: int = 0, **options: Any) -> bytes:
    """A HEIC file that keeps every pixel."""
    container = pillow_heif.HeifFile()  # type: ignore[no-untyped-call]
    for picture in pictures:
        container.add_from_pillow(picture)
    file = io.BytesIO()
    container.save(file, quality=-1, chroma="444", matrix_coefficients=0, primary_index=primary, **options)
    return file.getvalue()
