"""A frame of a DICOM file as a person is shown it: black to white as its tables and window say, or in colour."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import Dataset, dcmread
from pydicom.datadict import dictionary_description
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import pixel_array
from pydicom.tag import Tag

from app.errors import DamagedImage, EmptyImage, NotAnImage
from app.images.apart.dicom_levels import Shown, show_levels
from app.images.apart.raster import Raster, require_size
from app.images.selection import Selected, Selection, choose_one, refuse_page, refuse_window

GREY = ("MONOCHROME1", "MONOCHROME2")
COLORS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT")
PALETTE = "PALETTE COLOR"
MAX_BITS = 32


def read_dicom(data: bytes, wanted: Selection, max_pixels: int) -> Raster:
    """One frame: the middle one unless another is asked for."""
    refuse_page(wanted, "DICOM")
    dataset = parse_dicom(data)
    kind = _require_image(dataset)
    require_size(whole_number(dataset, "Columns"), whole_number(dataset, "Rows"), max_pixels)
    frames = _frames(dataset)
    number = choose_one("frame", wanted.frame, frames, default=(frames + 1) // 2)
    notes = []
    if frames > 1 and wanted.frame is None:
        notes.append(f"Frame {number} of {frames}, the middle one, was taken; frame=N takes another.")
    stored = _decoded(dataset, number)
    del dataset.PixelData  # of which there is a copy now, and there may be hundreds of megabytes
    if kind in GREY:
        shown = show_levels(dataset, stored, number, wanted.window, inverted=kind == "MONOCHROME1")
    else:
        refuse_window(wanted, f"DICOM in colour ({described('PhotometricInterpretation')} is {kind})")
        shown = Shown(_colors(dataset, stored, kind), None, [])
    return Raster(shown.pixels, Selected(frame=number, frames=frames, window=shown.window), notes + shown.notes)


def count_frames(data: bytes) -> int:
    """How many frames the file says that it has, none of which is decoded."""
    dataset = parse_dicom(data)
    _require_image(dataset)
    return _frames(dataset)


def parse_dicom(data: bytes) -> Dataset:
    """The data set of a file; nothing of it is quoted in what is raised."""
    try:
        dataset = dcmread(io.BytesIO(data))
        for element in dataset.group_dataset(0x0028):  # values are read when they are first asked for: ask for them now
            _ = element.value
    except InvalidDicomError:
        raise DamagedImage("The DICOM file has no File Meta Information that can be read.") from None
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - pydicom raises many kinds, and quotes values in them
        raise DamagedImage(
            "The DICOM data set is truncated or damaged: an element's length or value is no such thing."
        ) from None
    return dataset


def whole_number(dataset: Dataset, keyword: str) -> int:
    """The value of an element, 1 or more.

    Raises:
        DamagedImage, EmptyImage: it is missing, no number, or none of that size.
    """
    try:
        value = int(dataset[keyword].value)
    except (KeyError, TypeError, ValueError):
        raise DamagedImage(f"The DICOM file's {described(keyword)} is missing, or is no whole number.") from None
    if value < 1:
        raise EmptyImage(f"The DICOM file's {described(keyword)} is zero or less.")
    return value


def described(keyword: str) -> str:
    """An element's name and tag, for a sentence."""
    tag = Tag(keyword)
    return f"{dictionary_description(tag)} ({tag.group:04X},{tag.element:04X})"


def _frames(dataset: Dataset) -> int:
    return whole_number(dataset, "NumberOfFrames") if dataset.get("NumberOfFrames") is not None else 1


def _require_image(dataset: Dataset) -> str:
    """The photometric interpretation, once it is sure that there are pixels of whole numbers."""
    for keyword in ("FloatPixelData", "DoubleFloatPixelData"):
        if keyword in dataset:
            raise NotAnImage(
                f"The DICOM file holds {described(keyword)}, which has no agreed black and"
                f" white; send {described('PixelData')}."
            )
    if "PixelData" not in dataset:
        raise NotAnImage(f"The DICOM file has no {described('PixelData')}: it is no image.")
    kind = dataset.get("PhotometricInterpretation")
    if kind not in (*GREY, *COLORS, PALETTE):
        raise NotAnImage(
            f"The DICOM file's {described('PhotometricInterpretation')} is missing or none of"
            f" {', '.join((*GREY, PALETTE, *COLORS))}."
        )
    if whole_number(dataset, "BitsAllocated") > MAX_BITS:
        raise NotAnImage(f"The DICOM file's {described('BitsAllocated')} is above {MAX_BITS}.")
    whole_number(dataset, "BitsStored")
    return str(kind)


def _decoded(dataset: Dataset, number: int) -> NDArray[Any]:
    """The stored values of a frame, from 1: (rows, columns) or (rows, columns, 3), YBR as RGB."""
    syntax = _syntax(dataset)
    try:
        return pixel_array(dataset, index=number - 1)
    except MemoryError:
        raise
    except NotImplementedError:
        raise NotAnImage(f"DICOM in the transfer syntax {syntax} is not read here; send it uncompressed.") from None
    except Exception:  # noqa: BLE001 - decoders raise many kinds, and quote values in them
        raise DamagedImage(
            f"The DICOM file's {described('PixelData')} cannot be decoded: it is truncated, or not what its transfer"
            f" syntax ({syntax}) and the elements of group 0028 say; or this kind of it is not read here."
        ) from None


def _syntax(dataset: Dataset) -> str:
    """The transfer syntax by its public name. An unknown one is not quoted: anything may stand there."""
    uid = dataset.file_meta.get("TransferSyntaxUID")
    if uid is None:
        raise DamagedImage("The DICOM file's Transfer Syntax UID (0002,0010) is missing.")
    if not uid.is_transfer_syntax or uid.is_private:
        raise NotAnImage("The DICOM file's Transfer Syntax UID (0002,0010) is none that is known here.")
    return str(uid.name)


def _colors(dataset: Dataset, stored: NDArray[Any], kind: str) -> NDArray[np.uint8 | np.uint16]:
    """RGB (rows, columns, 3); of more than 8 bits stretched to 16."""
    bits = int(dataset.BitsStored)
    if kind == PALETTE:
        try:
            stored = apply_color_lut(stored, dataset)
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - as above
            raise DamagedImage(
                "The DICOM file's palette, Red Palette Color Lookup Table Data (0028,1201) or its neighbours, is"
                " missing or damaged."
            ) from None
        bits = 8 * stored.dtype.itemsize
    if stored.ndim != 3 or stored.shape[2] != 3:
        raise DamagedImage("The DICOM file's Samples per Pixel (0028,0002) is not 3, and its colours are.")
    if bits == 8:
        return stored.astype(np.uint8, copy=False)
    top = 2**bits - 1
    return np.rint(stored.clip(0, top) * np.float32(65535 / top)).astype(np.uint16)
