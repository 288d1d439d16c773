"""Large JPEG and PNG files are decoded to the very bytes that Pillow makes of them, and refused where it refuses."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from app.errors import DamagedImage
from app.images.decode import DecodeLimits, decode
from app.images.lean import LEAN_PIXELS, is_lean

LIMITS = DecodeLimits(max_bytes=1 << 26, max_pixels=1 << 26, max_seconds=60)
NOISE = np.random.default_rng(0).integers(0, 256, (2001, 2003, 3), dtype=np.uint8)
PICTURE = Image.fromarray(NOISE).filter(ImageFilter.GaussianBlur(2))
TURNED = Image.Exif()
TURNED[0x0112] = 6


def file(name: str, **options: Any) -> bytes:
    written = io.BytesIO()
    PICTURE.save(written, name, **options)
    return written.getvalue()


def opened_as_lean(data: bytes) -> bool:
    with Image.open(io.BytesIO(data)) as image:
        return is_lean(image)


@pytest.mark.parametrize(
    ("name", "options", "lean"),
    [
        ("JPEG", {"quality": 90}, True),
        ("JPEG", {"quality": 95, "subsampling": 0}, True),
        ("JPEG", {"exif": TURNED}, True),
        ("JPEG", {"progressive": True}, False),
        ("PNG", {"compress_level": 1}, True),
        ("PNG", {"compress_level": 1, "exif": TURNED}, False),
    ],
    ids=str,
)
def test_the_pixels_are_pillows(name: str, options: dict[str, Any], lean: bool) -> None:
    assert PICTURE.width * PICTURE.height > LEAN_PIXELS
    data = file(name, **options)
    assert opened_as_lean(data) == lean
    expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    if "exif" in options:
        expected = np.rot90(expected, -1)
    np.testing.assert_array_equal(decode(data, LIMITS).pixels, expected)


@pytest.mark.parametrize("name", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.1, 0.9])
def test_what_is_cut_off_is_refused(name: str, share: float) -> None:
    data = file(name)
    with pytest.raises(DamagedImage):
        decode(data[: int(share * len(data))], LIMITS)
