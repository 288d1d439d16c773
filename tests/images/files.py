"""Small image files of every kind, made in memory."""

import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def gradient(height: int = 6, width: int = 8) -> NDArray[np.uint8]:
    """RGB (height, width, 3), every pixel another colour."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows * 30 + 5, columns * 25 + 10, rows * 10 + columns * 7], axis=2).astype(np.uint8)


def encoded(pixels: NDArray[Any] | Image.Image, file_format: str, **options: Any) -> bytes:
    """The file that Pillow writes of these pixels."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, file_format, **options)
    return file.getvalue()


def png(
    width: int,
    height: int,
    bits: int,
    color_type: int,
    samples: bytes,
    *extra: tuple[bytes, bytes],
    interlaced_rows: int = 0,
) -> bytes:
    """A PNG of the given header and samples, with further chunks before the pixels.

    Interlaced, its samples are those of all passes together, of that many equally long rows.
    """
    row_bytes = max(1, len(samples) // max(1, interlaced_rows or height))
    rows = [samples[at : at + row_bytes] for at in range(0, len(samples), row_bytes)]
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, interlaced_rows > 0)
    chunks = [
        (b"IHDR", header),
        *extra,
        (b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows))),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def tiff(order: str, tags: Mapping[int, tuple[int, list[int]]], samples: bytes) -> bytes:
    """A TIFF of one strip; `tags` are number: (type 3 for 16 or 4 for 32 bits, values), without the strip's own."""
    count = len(tags) + 2
    outside_at = 8 + 2 + 12 * count + 4
    outside = b""
    entries = {}
    for tag, (kind, values) in tags.items():
        body = b"".join(struct.pack(order + ("H" if kind == 3 else "I"), value) for value in values)
        if len(body) > 4:
            entries[tag] = struct.pack(order + "HHII", tag, kind, len(values), outside_at + len(outside))
            outside += body
        else:
            entries[tag] = struct.pack(order + "HHI", tag, kind, len(values)) + body.ljust(4, b"\0")
    entries[273] = struct.pack(order + "HHII", 273, 4, 1, outside_at + len(outside))
    entries[279] = struct.pack(order + "HHII", 279, 4, 1, len(samples))
    directory = struct.pack(order + "H", count) + b"".join(entries[tag] for tag in sorted(entries)) + bytes(4)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "I", 8) + directory + outside + samples


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
