"""Files that are made to take a reader's time, its memory or its sense."""

import io
import struct
import zlib

import numpy as np
import pydicom
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.images.apart.files import grey_dicom, pdf, pdf_of, stream


def bomb_of_time(depth: int = 40) -> bytes:
    """Each form draws the next one twice."""
    forms = [
        stream(
            b"/X Do /X Do",
            b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</X %d 0 R>>>>" % (6 + number),
        )
        for number in range(depth)
    ]
    last = stream(b"0 0 9 9 re f", b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]")
    return pdf_of([*tree(b"/Resources<</XObject<</X 5 0 R>>>>"), stream(b"/X Do"), *forms, last])


def bomb_of_memory() -> bytes:
    """270 megabytes of commands in a few kilobytes."""
    packer = zlib.compressobj(9)
    once = b"".join(packer.compress(b"0 0 1 rg " * 2_500_000) for _ in range(12)) + packer.flush()
    return pdf_of([*tree(b""), stream(zlib.compress(once, 9), b"/Filter[/FlateDecode/FlateDecode]")])


def tree(entries: bytes) -> list[bytes]:
    """A catalogue, one page with these entries, and its contents to follow as object 4."""
    page = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R%s>>" % entries
    return [b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Count 1/Kids[3 0 R]>>", page]


def encrypted_pdf() -> bytes:
    """A PDF that asks for a password."""
    lock = b"/Encrypt<</Filter/Standard/V 1/R 2/P -4/O<%s>/U<%s>>>/ID[<41><41>]" % (b"41" * 32, b"42" * 32)
    return pdf(b"1 0 0 rg 0 0 72 72 re f", trailer=lock)


def deflated_bomb() -> bytes:
    """A DICOM file whose data set inflates to 280 megabytes."""
    dataset = pydicom.dcmread(io.BytesIO(grey_dicom(np.zeros((2, 2), np.uint8))))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    file = io.BytesIO()
    dataset.save_as(file, enforce_file_format=True)
    meta = file.getvalue()[
        : 144 + int.from_bytes(file.getvalue()[140:144], "little")
    ]  # as long as its first element says
    packer = zlib.compressobj(9, wbits=-15)
    return meta + b"".join(packer.compress(bytes(20_000_000)) for _ in range(14)) + packer.flush()


def empty_heics() -> tuple[bytes, bytes]:
    """HEIC files without a picture: of a kind and no more, and with an empty list of pictures."""
    kind, empty = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x0cmeta\0\0\0\0"
    return kind, kind + empty


def chain(pages: int, last: int) -> bytes:
    """Directories without an entry, each with the place of the next; the last one with this place."""
    places = [*(8 + 6 * number for number in range(1, pages)), last]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(struct.pack("<HI", 0, place) for place in places)
