"""What the first bytes of a file say: which reader is asked, and what the message says when it reads nothing."""

import struct

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"BM": "BMP",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
    b"PK\x03\x04": "ZIP",
}

# Where each format keeps width and height, for `struct`. JPEG and TIFF keep them at no fixed place.
SIZES = {"PNG": (">II", 16), "BMP": ("<ii", 18), "GIF": ("<HH", 6)}

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")
PDF_HEADER_WITHIN = 1024  # bytes: what mail servers put before it is skipped by every reader


def format_by_signature(data: bytes) -> str | None:
    """The format that the first bytes announce, or None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if is_dicom(data):
        return "DICOM"
    if data[4:8] == b"ftyp" and _is_heic(data):
        return "HEIC"
    known = next((name for signature, name in SIGNATURES.items() if data.startswith(signature)), None)
    return "PDF" if known is None and b"%PDF-" in data[:PDF_HEADER_WITHIN] else known


def is_dicom(data: bytes) -> bool:
    """Whether it is a DICOM file, whatever its first 128 bytes are."""
    return data[128:132] == b"DICM"


def _is_heic(data: bytes) -> bool:
    """Whether one of the brands of the first box is HEIC's; AVIF shares the others."""
    brands = data[8 : min(int.from_bytes(data[:4]), 256)]
    return any(brands[at : at + 4] in HEIC_BRANDS for at in range(0, len(brands), 4))


def has_zero_size(data: bytes) -> bool:
    """Whether the header gives a width or height of zero."""
    name = format_by_signature(data)
    if name == "JPEG":
        return 0 in _jpeg_size(data)
    if name == "TIFF":
        return 0 in _tiff_size(data)
    layout, offset = SIZES.get(name or "", ("", 0))
    if len(data) < offset + struct.calcsize(layout):
        return False
    return 0 in struct.unpack_from(layout, data, offset)


def _jpeg_size(data: bytes) -> tuple[int, ...]:
    """Height and width of the frame header, or nothing where there is none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # the frame headers among 0xC0 to 0xCF
            return struct.unpack_from(">HH", data, at + 5)
        at += 2 + length
    return ()


def _tiff_size(data: bytes) -> tuple[int, ...]:
    """Width and length of the first directory, as far as they are there."""
    order = "<" if data.startswith(b"II") else ">"
    if len(data) < 10 or b"+" in data[2:4]:  # BigTIFF has other places for everything
        return ()
    (at,) = struct.unpack_from(order + "I", data, 4)
    found = []
    for entry in range(at + 2, len(data) - 11, 12):
        tag, kind = struct.unpack_from(order + "HH", data, entry)
        if tag in (256, 257):
            found.append(struct.unpack_from(order + ("H" if kind == 3 else "I"), data, entry + 8)[0])
        if tag > 257:  # entries are in rising order
            break
    return tuple(found)
