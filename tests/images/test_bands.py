"""Images worked on in bands of rows come out as images worked on whole, by a plain oracle that knows no bands."""

import io
from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from app.errors import OptionError
from app.images import bands as cutting
from app.images.bands import AreaMeans, Smaller, bands, smaller_size
from app.images.fit import Carried, Fit, Reader, fitting
from app.images.png import PictureRoom, PngWriter, png_of
from app.images.render import draw_heatmap, draw_perturbation

FITS: list[Fit] = ["stretch", "letterbox", "center_crop"]
ODD_SIZES = [(1, 1), (37, 21), (64, 5), (5, 64), (101, 99)]


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((height, width, channels), dtype=np.float32)


def area_matrix(length: int, size: int) -> NDArray[np.float64]:
    """The share of each of `length` pixels in each of `size` equal stretches, one pixel and one stretch at a time."""
    shares = np.zeros((size, length))
    for out in range(size):
        for pixel in range(length):
            low, high = max(pixel, out * length / size), min(pixel + 1, (out + 1) * length / size)
            shares[out, pixel] = max(0.0, high - low) * size / length
    return shares


@settings(max_examples=100, deadline=None)
@given(length=st.integers(1, 60), size=st.integers(1, 60), cuts=st.lists(st.integers(0, 60)))
def test_area_means_do_not_know_where_rows_were_cut(length: int, size: int, cuts: list[int]) -> None:
    size, pixels = min(size, length), noise(length, 3)
    means = AreaMeans(length, size)
    edges = sorted({0, length, *(cut for cut in cuts if cut < length)})
    parts = [means.push(pixels[first:last]) for first, last in pairwise(edges)]
    expected = np.einsum("oi,ijc->ojc", area_matrix(length, size), pixels)
    np.testing.assert_allclose(np.concatenate(parts), expected, atol=1e-6)


@pytest.mark.parametrize("size", ODD_SIZES, ids=str)
def test_bands_cover_every_row_once(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutting, "BAND_PIXELS", 50)
    assert [row for band in bands(*size) for row in range(band.start, band.stop)] == list(range(size[0]))
    assert all((band.stop - band.start) * size[1] <= max(50, size[1]) for band in bands(*size))


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", ODD_SIZES, ids=str)
def test_a_network_is_shown_the_same_of_any_bands(
    size: tuple[int, int], fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels, how = noise(*size), fitting(*size, height=8, width=8, channels=3, fit=fit)
    whole = Reader(how)
    whole.push(pixels)
    monkeypatch.setattr(cutting, "BAND_PIXELS", 70)
    torch.testing.assert_close(how.to_network(pixels), whole.finish(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", ODD_SIZES, ids=str)
def test_any_rows_of_a_carried_map_are_those_of_the_whole(size: tuple[int, int], fit: Fit) -> None:
    how = fitting(*size, height=8, width=8, channels=3, fit=fit)
    change = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    carried, whole = Carried(how, change), how.to_image(change)
    assert carried.sees_all == (not np.isnan(whole).any())
    for first in range(size[0]):
        part = carried.rows(slice(first, min(size[0], first + 3)))
        np.testing.assert_allclose(part, whole[first : first + 3], atol=1e-6)


@pytest.mark.parametrize("size", ODD_SIZES, ids=str)
def test_a_carried_map_is_torchs_cubic_interpolation(size: tuple[int, int]) -> None:
    """Of a smooth map, which the correction for area means leaves all but alone where the image is far larger."""
    height, width = 8 * size[0], 8 * size[1]
    how = fitting(height, width, height=min(8, height), width=min(8, width), channels=3, fit="stretch")
    flat = torch.full((3, how.height, how.width), 0.25)
    np.testing.assert_allclose(how.to_image(flat), 0.25, atol=1e-5)


@pytest.mark.parametrize("scale", [0.2, "auto"])
@pytest.mark.parametrize("unseen", [False, True])
@pytest.mark.parametrize("size", ODD_SIZES, ids=str)
def test_pictures_are_bit_for_bit_those_of_one_band(
    size: tuple[int, int], unseen: bool, scale: float | Literal["auto"], monkeypatch: pytest.MonkeyPatch
) -> None:
    image, change = noise(*size), noise(*size, seed=1) - 0.5
    if unseen:
        change[size[0] // 2 :, size[1] // 2 :] = np.nan
    if np.isnan(change).all():
        return

    def drawn() -> list[bytes]:
        heatmap = draw_heatmap(image, change, scale=scale)
        return [heatmap.png, draw_perturbation(change, scale=0.3).png]

    whole = [np.asarray(Image.open(io.BytesIO(png))) for png in drawn()]
    monkeypatch.setattr(cutting, "BAND_PIXELS", 60)
    banded = [np.asarray(Image.open(io.BytesIO(png))) for png in drawn()]
    for one, other in zip(whole, banded, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=50, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), cut=st.integers(0, 40), seed=st.integers(0, 99))
def test_a_png_written_by_rows_is_read_back_as_it_was(height: int, width: int, cut: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    writer = PngWriter(width)
    writer.push(pixels[:cut])
    writer.push(pixels[cut:])
    with Image.open(io.BytesIO(writer.finish())) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (width, height))
        picture.verify()
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png_of(pixels)))), pixels)


def test_pictures_take_no_more_room_than_there_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (50, 50, 3), dtype=np.uint8)
    size = len(png_of(pixels))
    room = PictureRoom(size)
    png_of(pixels, room)
    with pytest.raises(OptionError, match=f"more than {size} bytes; .*picture_side"):
        png_of(pixels, room)


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [((30, 40), None, (30, 40)), ((30, 40), 40, (30, 40)), ((30, 40), 20, (15, 20)), ((1, 4000), 16, (1, 16))],
)
def test_a_smaller_picture_keeps_its_shape(size: tuple[int, int], side: int | None, expected: tuple[int, int]) -> None:
    assert smaller_size(*size, side) == expected


def test_a_smaller_picture_is_the_area_mean() -> None:
    pixels, smaller = noise(37, 21), Smaller(37, 21, 20)
    made = np.concatenate([smaller.push(pixels[first : first + 5]) for first in range(0, 37, 5)])
    assert made.shape == (smaller.height, smaller.width, 3) == (20, 11, 3)
    expected = np.einsum("yi,xj,ijc->yxc", area_matrix(37, 20), area_matrix(21, 11), pixels)
    np.testing.assert_allclose(made, expected, atol=1e-6)
