"""Decoding untrusted bytes: what Pillow reads comes through, everything else is an error of ours."""

import hashlib
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from app.errors import (
    AexError,
    DamagedImage,
    DecodeTimeout,
    EmptyImage,
    ImageError,
    NotAnImage,
    TooManyPixels,
    UploadTooLarge,
)
from app.images.decode import MOST_PIXELS, DecodeLimits, decode
from tests.images.files import encoded, gradient, png, tiff

LIMITS = DecodeLimits(max_bytes=1_000_000, max_pixels=1_000_000, max_seconds=60)

LOSSLESS = {
    "PNG": encoded(gradient(), "PNG"),
    "WEBP": encoded(gradient(), "WEBP", lossless=True),
    "BMP": encoded(gradient(), "BMP"),
    "TIFF": encoded(gradient(), "TIFF"),
    "GIF": encoded(gradient(), "GIF"),
}
LARGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
FILES = {
    **LOSSLESS,
    "JPEG": encoded(gradient(), "JPEG", quality=95),
    "JPEG progressive": encoded(LARGE, "JPEG", progressive=True),
    "JPEG with EXIF": encoded(gradient(), "JPEG", exif=Image.Exif()),
    "WEBP lossy": encoded(LARGE, "WEBP"),
    "TIFF deflate": encoded(LARGE, "TIFF", compression="tiff_deflate"),
    "TIFF JPEG": encoded(LARGE, "TIFF", compression="jpeg"),
    "TIFF 16": encoded(gradient()[:, :, 0].astype(np.uint16) * 257, "TIFF"),
    "PNG palette": encoded(Image.fromarray(gradient()).quantize(16), "PNG", transparency=0),
    "PNG 16": png(4, 2, 16, 6, bytes(range(64))),
    "GIF animated": encoded(
        Image.fromarray(gradient()), "GIF", save_all=True, append_images=[Image.fromarray(255 - gradient())]
    ),
}


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_formats_keep_every_pixel(name: str) -> None:
    image = decode(LOSSLESS[name], LIMITS)
    np.testing.assert_array_equal(image.pixels, gradient())
    assert (image.format, image.width, image.height, image.notes) == (name, 8, 6, ())


def test_jpeg_comes_close_to_its_pixels() -> None:
    smooth = np.full((16, 24, 3), (200, 120, 40), dtype=np.uint8)
    image = decode(encoded(smooth, "JPEG", quality=100), LIMITS)
    assert image.format == "JPEG"
    np.testing.assert_allclose(image.pixels.astype(int), smooth, atol=2)


def test_sha256_is_of_the_uploaded_bytes() -> None:
    assert decode(FILES["JPEG"], LIMITS).sha256 == hashlib.sha256(FILES["JPEG"]).hexdigest()


def test_floats_divide_by_the_largest_level() -> None:
    floats = decode(png(3, 1, 8, 0, bytes([0, 51, 255])), LIMITS).floats()
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(floats[0, :, 0], np.array([0, 0.2, 1], dtype=np.float32))


def test_sixteen_bit_floats_reach_exactly_one() -> None:
    floats = decode(png(2, 1, 16, 0, struct.pack(">HH", 0, 65535)), LIMITS).floats()
    np.testing.assert_array_equal(floats[0, :, 0], [0, 1])


def test_sixteen_bits_are_rounded_to_the_nearest_of_eight() -> None:
    image = decode(png(4, 1, 16, 0, struct.pack(">4H", 0, 128, 129, 65535)), LIMITS)
    assert image.eight_bits()[0, :, 0].tolist() == [0, 0, 1, 255]


def test_of_several_frames_the_first_is_taken_and_said() -> None:
    image = decode(FILES["GIF animated"], LIMITS)
    np.testing.assert_array_equal(image.pixels, gradient())
    assert "the first was taken" in image.notes[0]


def test_of_several_pages_the_first_is_taken_and_said() -> None:
    pages = encoded(Image.fromarray(gradient()), "TIFF", save_all=True, append_images=[Image.new("RGB", (9, 9))])
    image = decode(pages, LIMITS)
    np.testing.assert_array_equal(image.pixels, gradient())
    assert "the first was taken" in image.notes[0]


def test_no_bytes_are_an_empty_image() -> None:
    with pytest.raises(EmptyImage, match="no bytes"):
        decode(b"", LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        png(0, 4, 8, 0, b""),
        png(4, 0, 8, 0, b""),
        FILES["GIF"][:6] + bytes(4) + FILES["GIF"][10:13],
        FILES["BMP"][:18] + bytes(4) + FILES["BMP"][22:],
        tiff("<", {256: (3, [0]), 257: (3, [4]), 258: (3, [8]), 262: (3, [1])}, b""),
        tiff(">", {256: (4, [4]), 257: (4, [0]), 258: (3, [8]), 262: (3, [1])}, b""),
        FILES["JPEG"].replace(b"\xff\xc0\x00\x11\x08\x00\x06\x00\x08", b"\xff\xc0\x00\x11\x08\x00\x06\x00\x00"),
    ],
    ids=["PNG width", "PNG height", "GIF", "BMP", "TIFF width", "TIFF length", "JPEG"],
)
def test_zero_sizes_are_empty_images(data: bytes) -> None:
    with pytest.raises(EmptyImage, match="zero"):
        decode(data, LIMITS)


@pytest.mark.parametrize(
    "data",
    [
        b"hello, I am no image",
        b"\0",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='4' height='4'/>",
        encoded(gradient(), "PPM"),
        encoded(gradient(), "ICO"),
        encoded(gradient(), "AVIF"),
    ],
    ids=["text", "a byte", "SVG", "PPM", "ICO", "AVIF"],
)
def test_other_formats_are_never_tried(data: bytes) -> None:
    with pytest.raises(NotAnImage, match="PNG, JPEG, WebP, BMP, TIFF, GIF, DICOM, PDF or HEIC"):
        decode(data, LIMITS)


@pytest.mark.parametrize("name", FILES)
def test_half_a_file_is_damaged(name: str) -> None:
    with pytest.raises(DamagedImage):
        decode(FILES[name][: len(FILES[name]) // 2], LIMITS)


@pytest.mark.parametrize("name", ["PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP"])
def test_a_signature_alone_is_damaged(name: str) -> None:
    with pytest.raises(DamagedImage):
        decode(FILES[name][:12], LIMITS)


def test_more_bytes_than_allowed_are_refused_with_both_numbers() -> None:
    with pytest.raises(UploadTooLarge, match=r"1001 bytes.*at most 1000"):
        decode(bytes(1001), DecodeLimits(1000, 1000, 1))


def test_exactly_the_allowed_bytes_and_pixels_are_read() -> None:
    decode(FILES["PNG"], DecodeLimits(len(FILES["PNG"]), 48, 60))


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF"])
def test_one_pixel_too_many_is_refused(name: str) -> None:
    with pytest.raises(TooManyPixels, match="at most 47"):
        decode(FILES[name], DecodeLimits(1000_000, 47, 60))


@pytest.mark.parametrize("side", [1_001, 10_000, 50_000, 2**31 - 1])
def test_bombs_are_refused_by_their_header_alone(side: int) -> None:
    began = time.monotonic()
    with pytest.raises(TooManyPixels, match="at most 1000000"):
        decode(png(side, side, 8, 2, b""), LIMITS)
    assert time.monotonic() - began < 1


def test_very_long_images_are_refused_whatever_their_pixels() -> None:
    with pytest.raises(TooManyPixels, match=r"65535 pixels .* on a side"):
        decode(png(65_536, 1, 1, 0, bytes(8192)), LIMITS)


def test_limits_cannot_lift_what_pillow_is_held_to() -> None:
    assert Image.MAX_IMAGE_PIXELS == MOST_PIXELS
    with pytest.raises(ValueError, match="at most 500000000"):
        DecodeLimits(1, 10**9, 1)


def test_a_jpeg_of_very_many_scans_is_refused_before_it_is_decoded() -> None:
    whole = FILES["JPEG progressive"]
    last_scan = whole[whole.rindex(b"\xff\xda") : -2]
    with pytest.raises(DamagedImage, match="scans"):
        decode(whole[:-2] + last_scan * 600 + whole[-2:], LIMITS)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_the_caller_waits_no_longer_than_allowed(file_format: str) -> None:
    data = encoded(np.random.default_rng(0).integers(0, 256, (900, 1000, 3), dtype=np.uint8), file_format)
    began = time.monotonic()
    with pytest.raises(DecodeTimeout, match=r"0\.001 s"):
        decode(data, DecodeLimits(10_000_000, 1_000_000, 0.001))
    assert time.monotonic() - began < 0.5


def test_after_timeouts_decoding_goes_on() -> None:
    data = encoded(np.random.default_rng(0).integers(0, 256, (900, 1000, 3), dtype=np.uint8), "PNG")
    for _ in range(8):
        with pytest.raises(DecodeTimeout):
            decode(data, DecodeLimits(10_000_000, 1_000_000, 0.001))
    assert decode(FILES["PNG"], LIMITS).width == 8


def test_many_threads_decode_the_same_pixels() -> None:
    names = [*LOSSLESS] * 8
    with ThreadPoolExecutor(8) as threads:
        for image in threads.map(lambda name: decode(LOSSLESS[name], LIMITS), names):
            np.testing.assert_array_equal(image.pixels, gradient())


def test_messages_never_quote_the_upload() -> None:
    with pytest.raises(ImageError) as caught:
        decode(b"\x89PNG\r\n\x1a\nsecret patient name", LIMITS)
    assert "secret" not in str(caught.value)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(sorted(FILES)),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=4)), max_size=6),
    cut=st.floats(0, 1),
)
def test_mutated_files_give_pixels_or_an_error_of_ours(
    name: str, changes: list[tuple[float, bytes]], cut: float
) -> None:
    data = bytearray(FILES[name])
    for place, new in changes:
        at = int(place * len(data))
        data[at : at + len(new)] = new
    if cut < 0.5:
        del data[int(2 * cut * len(data)) :]
    try:
        image = decode(bytes(data), LIMITS)
    except AexError:
        return
    assert image.pixels.shape == (image.height, image.width, 3)
    assert image.pixels.dtype in (np.uint8, np.uint16)
