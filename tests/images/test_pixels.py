"""Every kind of pixel that the six formats hold, against numbers worked out by hand."""

import struct
import zlib
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from app.errors import DamagedImage, NotAnImage
from app.images.decode import DecodedImage, DecodeLimits, decode
from tests.images.files import encoded, gradient, png, tiff

WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, SAMPLES, PLANAR, EXTRA, FORMAT = (
    256,
    257,
    258,
    259,
    262,
    277,
    284,
    338,
    339,
)
DEEP = np.array([[[0, 1, 258], [0x1234, 0x8081, 0xFFFE]], [[65535, 256, 255], [3, 2, 1]]], dtype=np.uint16)


def read(data: bytes) -> DecodedImage:
    return decode(data, DecodeLimits(1_000_000, 1_000_000, 60))


def first_pixel(data: bytes) -> list[int]:
    pixel: list[int] = read(data).pixels[0, 0].tolist()
    return pixel


def tiff_of(order: Literal["<", ">"], samples: NDArray[Any], photometric: int, **tags: tuple[int, list[int]]) -> bytes:
    height, width, channels = samples.shape
    bits = samples.dtype.itemsize * 8
    numbers = {"planar": PLANAR, "extra": EXTRA, "format": FORMAT, "deflated": COMPRESSION}
    known = {
        WIDTH: (3, [width]),
        LENGTH: (3, [height]),
        BITS: (3, [bits] * channels),
        PHOTOMETRIC: (3, [photometric]),
        SAMPLES: (3, [channels]),
    }
    further = {numbers[name]: value for name, value in tags.items()}
    strip = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    return tiff(order, known | further, zlib.compress(strip) if "deflated" in tags else strip)


def test_one_bit_is_black_and_white() -> None:
    image = read(png(2, 1, 1, 0, bytes([0b01000000])))
    assert image.pixels.tolist() == [[[0, 0, 0], [255, 255, 255]]]


def test_grey_is_three_equal_channels() -> None:
    assert first_pixel(png(1, 1, 8, 0, b"\x4d")) == [77, 77, 77]


def test_palette_gives_its_colours() -> None:
    palette = bytes([1, 2, 3, 200, 100, 50])
    image = read(png(2, 1, 8, 3, b"\0\1", (b"PLTE", palette)))
    assert image.pixels.tolist() == [[[1, 2, 3], [200, 100, 50]]]
    assert image.notes == ()


def test_transparent_palette_entries_are_laid_on_white() -> None:
    image = read(png(2, 1, 8, 3, b"\0\1", (b"PLTE", bytes([1, 2, 3, 200, 100, 50])), (b"tRNS", b"\0\xff")))
    assert image.pixels.tolist() == [[[255, 255, 255], [200, 100, 50]]]
    assert any("white" in note for note in image.notes)


def test_half_transparent_black_becomes_mid_grey() -> None:
    image = read(png(1, 1, 8, 6, bytes([0, 0, 0, 128])))
    assert image.pixels.tolist() == [[[127, 127, 127]]]
    assert any("white" in note for note in image.notes)


def test_an_opaque_alpha_channel_is_not_worth_a_note() -> None:
    image = read(png(1, 1, 8, 6, bytes([10, 20, 30, 255])))
    assert image.pixels.tolist() == [[[10, 20, 30]]]
    assert image.notes == ()


def test_grey_with_alpha_is_laid_on_white() -> None:
    assert first_pixel(png(1, 1, 8, 4, bytes([100, 0]))) == [255, 255, 255]


def test_a_transparent_colour_is_laid_on_white() -> None:
    image = read(png(2, 1, 8, 2, bytes([9, 8, 7, 9, 8, 6]), (b"tRNS", struct.pack(">HHH", 9, 8, 7))))
    assert image.pixels.tolist() == [[[255, 255, 255], [9, 8, 6]]]


def test_transparent_webp_is_laid_on_white() -> None:
    rgba = np.zeros((4, 4, 4), dtype=np.uint8)
    assert first_pixel(encoded(rgba, "WEBP", lossless=True)) == [255, 255, 255]


def test_sixteen_bit_rgb_png_keeps_every_bit() -> None:
    pixels = read(png(2, 2, 16, 2, DEEP.astype(">u2").tobytes())).pixels
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, DEEP)


def test_interlaced_sixteen_bit_rgb_png_keeps_every_bit() -> None:
    # Of a 2x1 image Adam7's first pass holds the first pixel, its sixth the second.
    data = png(2, 1, 16, 2, DEEP[0].astype(">u2").tobytes(), interlaced_rows=2)
    np.testing.assert_array_equal(read(data).pixels, DEEP[:1])


def test_sixteen_bit_grey_png_keeps_every_bit() -> None:
    assert first_pixel(png(1, 1, 16, 0, b"\x12\x34")) == [0x1234] * 3


def test_sixteen_bit_transparent_grey_is_laid_on_white() -> None:
    image = read(png(2, 1, 16, 0, b"\x12\x34\x12\x35", (b"tRNS", b"\x12\x34")))
    assert image.pixels[0, :, 0].tolist() == [65535, 0x1235]
    assert any("white" in note for note in image.notes)


def test_sixteen_bit_transparent_colour_must_match_all_its_bits() -> None:
    samples = struct.pack(">6H", 0x1234, 5, 6, 0x1235, 5, 6)
    image = read(png(2, 1, 16, 2, samples, (b"tRNS", struct.pack(">HHH", 0x1234, 5, 6))))
    assert image.pixels.tolist() == [[[65535] * 3, [0x1235, 5, 6]]]


@pytest.mark.parametrize(
    ("alpha", "expected"), [(0, [65535] * 3), (65535, [0x1234, 0, 0xFFFE]), (32768, [35097, 32767, 65534])]
)
def test_sixteen_bit_alpha_is_laid_on_white(alpha: int, expected: list[int]) -> None:
    assert first_pixel(png(1, 1, 16, 6, struct.pack(">4H", 0x1234, 0, 0xFFFE, alpha))) == expected


@pytest.mark.parametrize(("alpha", "expected"), [(65535, 0x1234), (0, 65535)])
def test_sixteen_bit_grey_with_alpha_keeps_every_bit(alpha: int, expected: int) -> None:
    assert first_pixel(png(1, 1, 16, 4, struct.pack(">2H", 0x1234, alpha))) == [expected] * 3


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_rgb_tiff_keeps_every_bit(order: Literal["<", ">"]) -> None:
    np.testing.assert_array_equal(read(tiff_of(order, DEEP, 2)).pixels, DEEP)


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_rgba_tiff_is_laid_on_white(order: Literal["<", ">"]) -> None:
    clear = np.concatenate([DEEP, np.zeros((2, 2, 1), dtype=np.uint16)], axis=2)
    assert (read(tiff_of(order, clear, 2, extra=(3, [2]))).pixels == 65535).all()


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bit_grey_tiff_keeps_every_bit(order: Literal["<", ">"]) -> None:
    np.testing.assert_array_equal(read(tiff_of(order, DEEP[:, :, :1], 1)).pixels[:, :, 2], DEEP[:, :, 0])


def test_compressed_sixteen_bit_grey_tiff_keeps_every_bit() -> None:
    data = encoded(np.ascontiguousarray(DEEP[:, :, 1]), "TIFF", compression="tiff_lzw")
    np.testing.assert_array_equal(read(data).pixels[:, :, 0], DEEP[:, :, 1])


@pytest.mark.parametrize("order", ["<", ">"])
def test_compressed_sixteen_bit_rgb_tiff_keeps_every_bit(order: Literal["<", ">"]) -> None:
    np.testing.assert_array_equal(read(tiff_of(order, DEEP, 2, deflated=(3, [8]))).pixels, DEEP)


def test_sixteen_bit_tiff_with_white_as_zero_is_inverted() -> None:
    np.testing.assert_array_equal(read(tiff_of("<", DEEP[:, :, :1], 0)).pixels[:, :, 0], 65535 - DEEP[:, :, 0])


def test_twelve_bit_tiff_reaches_white() -> None:
    tags = {WIDTH: (3, [2]), LENGTH: (3, [1]), BITS: (3, [12]), PHOTOMETRIC: (3, [1]), SAMPLES: (3, [1])}
    assert read(tiff("<", tags, bytes([0xFF, 0xF0, 0x00]))).pixels[0, :, 0].tolist() == [65535, 0]


def test_floating_point_tiff_is_refused_and_says_why() -> None:
    with pytest.raises(NotAnImage, match=r"floating-point levels.*8 or 16 bits"):
        read(tiff_of("<", np.ones((2, 2, 1), dtype=np.float32), 1, format=(3, [3])))


def test_signed_sixteen_bit_tiff_is_refused() -> None:
    with pytest.raises(NotAnImage, match="8 or 16 bits"):
        read(tiff_of("<", DEEP[:, :, :1], 1, format=(3, [2])))


def test_sixteen_bit_planes_are_refused_rather_than_misread() -> None:
    with pytest.raises(NotAnImage, match="planes"):
        read(tiff_of("<", DEEP, 2, planar=(3, [2])))


def test_sixteen_bit_cmyk_is_reduced_and_said() -> None:
    ink = np.zeros((2, 2, 4), dtype=np.uint16)
    image = read(tiff_of("<", ink, 5))
    assert (image.pixels == 255).all()
    assert any("reduced to 8" in note for note in image.notes)


@pytest.mark.parametrize("file_format", ["JPEG", "TIFF"])
def test_cmyk_without_ink_is_white_and_with_cyan_has_no_red(file_format: str) -> None:
    ink = np.zeros((16, 32, 4), dtype=np.uint8)
    ink[:, 16:, 0] = 255
    image = read(encoded(Image.fromarray(ink, "CMYK"), file_format))
    np.testing.assert_allclose(image.pixels[8, 4].astype(int), [255, 255, 255], atol=3)
    np.testing.assert_allclose(image.pixels[8, 28].astype(int), [0, 255, 255], atol=3)
    assert any("CMYK" in note for note in image.notes)


def test_ycbcr_tiff_becomes_rgb() -> None:
    image = read(encoded(Image.new("YCbCr", (4, 4), (255, 128, 128)), "TIFF"))
    assert (image.pixels == 255).all()


def test_lab_is_refused() -> None:
    with pytest.raises(NotAnImage, match="Lab"):
        read(encoded(Image.new("LAB", (4, 4)), "TIFF"))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_upright(orientation: int, file_format: str) -> None:
    upright = gradient()
    # How a camera stores an upright picture for each orientation: the inverse of what a viewer does.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.swapaxes(0, 1),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"exif": exif, **({"lossless": True} if file_format == "WEBP" else {})}
    image = read(encoded(np.ascontiguousarray(stored), file_format, **options))
    np.testing.assert_array_equal(image.pixels, upright)
    assert (image.width, image.height) == (8, 6)


def test_sixteen_bit_pixels_are_turned_too() -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    stored = np.arange(6, dtype=np.uint16).reshape(2, 3)
    image = read(encoded(stored, "PNG", exif=exif))
    np.testing.assert_array_equal(image.pixels[:, :, 0], stored[::-1, ::-1])
    assert any("upright" in note for note in image.notes)


def test_a_photograph_with_broken_exif_is_still_read() -> None:
    data = encoded(gradient(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\0\0")
    assert read(data).width == 8


def test_pixels_of_a_truncated_sixteen_bit_image_are_not_made_up() -> None:
    with pytest.raises(DamagedImage):
        read(tiff_of("<", DEEP, 2)[:-5])
