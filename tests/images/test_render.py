"""Pictures are read back from their files and held against numbers worked out by hand."""

import io
from typing import Literal, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from app.errors import OptionError
from app.images.color_maps import LEVELS, HeatmapKind, color_map
from app.images.decode import DecodeLimits, decode
from app.images.fit import fitting
from app.images.render import (
    LEAST_AUTO_SCALE,
    STRONGEST_ALPHA,
    HeatmapPicture,
    Overlay,
    draw_explained,
    draw_heatmap,
    draw_perturbation,
)

KINDS: tuple[HeatmapKind, ...] = get_args(HeatmapKind)
OVERLAYS: tuple[Overlay, ...] = get_args(Overlay)
SIDE = 256  # so that maps are not enlarged
RNG = np.random.default_rng(0)
PHOTO = RNG.random((SIDE, SIDE, 3), dtype=np.float32)
MIDDLE = LEVELS // 2


def pixels_of(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)))


def map_part(picture: HeatmapPicture, height: int, width: int) -> NDArray[np.uint8]:
    return pixels_of(picture.png)[: height * picture.enlarged, : width * picture.enlarged]


def flat(level: float, height: int = SIDE, width: int = SIDE, channels: int = 3) -> NDArray[np.float32]:
    return np.full((height, width, channels), level, dtype=np.float32)


def bytes_of(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    levels: NDArray[np.uint8] = np.rint(image * 255).astype(np.uint8)
    return levels


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scale", [0.2, "auto"])
def test_no_change_leaves_the_image_untouched(kind: HeatmapKind, scale: float | Literal["auto"]) -> None:
    picture = draw_heatmap(PHOTO, flat(0), kind=kind, scale=scale)
    np.testing.assert_array_equal(map_part(picture, SIDE, SIDE), bytes_of(PHOTO))


def test_rounding_noise_is_not_stretched_to_look_meaningful() -> None:
    noise = (RNG.standard_normal((SIDE, SIDE, 3)) * 1e-5).astype(np.float32)
    picture = draw_heatmap(PHOTO, noise, scale="auto")
    assert picture.scale == LEAST_AUTO_SCALE
    change = map_part(picture, SIDE, SIDE).astype(int) - bytes_of(PHOTO)
    assert np.abs(change).max() <= 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_flat_change_is_one_colour(kind: HeatmapKind) -> None:
    part = map_part(draw_heatmap(PHOTO, flat(0.1), kind=kind, overlay="none", scale="auto"), SIDE, SIDE)
    assert (part == color_map(None, kind).table[-1]).all()


def test_auto_is_the_maps_own_largest_absolute_value() -> None:
    change = flat(0.01)
    change[3, 4] = -0.3
    assert draw_heatmap(PHOTO, change, scale="auto").scale == pytest.approx(0.3)


def test_auto_counts_the_mean_over_channels_not_single_ones() -> None:
    change = flat(0)
    change[:, :, 0] = 0.3
    assert draw_heatmap(PHOTO, change, kind="signed", scale="auto").scale == pytest.approx(0.1)
    assert draw_heatmap(PHOTO, change, kind="magnitude", scale="auto").scale == pytest.approx(0.3 / np.sqrt(3))


@pytest.mark.parametrize(
    ("level", "place"), [(-0.2, 0), (-0.1, MIDDLE // 2), (0.0, MIDDLE), (0.2, LEVELS - 1), (5.0, LEVELS - 1)]
)
def test_signed_colours_lie_on_an_absolute_scale(level: float, place: int) -> None:
    part = map_part(draw_heatmap(PHOTO, flat(level), overlay="none", scale=0.2, color_map_name="vik"), SIDE, SIDE)
    expected = color_map("vik", "signed").table[place].astype(int)
    assert np.abs(part - expected).max() <= 2  # a place between two levels may round to either


@pytest.mark.parametrize(("level", "place"), [(0.0, 0), (-0.1, MIDDLE), (0.1, MIDDLE), (-0.2, LEVELS - 1)])
def test_magnitude_has_no_sign(level: float, place: int) -> None:
    part = map_part(draw_heatmap(PHOTO, flat(level), kind="magnitude", overlay="none", scale=0.2), SIDE, SIDE)
    assert np.abs(part - color_map(None, "magnitude").table[place].astype(int)).max() <= 2


def test_the_same_change_has_the_same_colour_in_every_picture() -> None:
    alone = draw_heatmap(PHOTO, flat(0.05), overlay="none", scale=0.2)
    mixed = flat(0.05)
    mixed[0] = 0.7
    beside = draw_heatmap(PHOTO, mixed, overlay="none", scale=0.2)
    np.testing.assert_array_equal(map_part(alone, SIDE, SIDE)[1:], map_part(beside, SIDE, SIDE)[1:])


def test_the_image_shines_through_in_proportion() -> None:
    white = flat(1)
    end = color_map(None, "signed").table[-1] / 255
    part = map_part(draw_heatmap(white, flat(0.2), scale=0.2), SIDE, SIDE)
    np.testing.assert_allclose(part[0, 0] / 255, 1 + STRONGEST_ALPHA * (end - 1), atol=1 / 255)


def test_grayscale_overlay_takes_the_images_colours_away() -> None:
    part = map_part(draw_heatmap(PHOTO, flat(0), overlay="grayscale", scale=0.2), SIDE, SIDE)
    assert (part == part[:, :, :1]).all()
    assert part.std() > 20


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_what_was_never_seen_is_grey_and_hatched_whatever_lies_beside_it(kind: HeatmapKind, overlay: Overlay) -> None:
    change = flat(0.2)
    change[:, :100] = np.nan
    part = map_part(draw_heatmap(PHOTO, change, kind=kind, overlay=overlay, scale=0.2), SIDE, SIDE)[:, :100]
    assert (part == part[:, :, :1]).all()
    assert part.std() > 10


def test_unseen_parts_have_no_say_in_the_scale() -> None:
    change = flat(0.03)
    change[:100] = np.nan
    assert draw_heatmap(PHOTO, change, scale="auto").scale == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("height", "width", "factor"),
    [(32, 32, 8), (28, 40, 10), (1, 1, 256), (256, 300, 1), (255, 300, 2), (10, 3000, 1), (100, 900, 2)],
)
def test_small_images_are_enlarged_by_a_whole_factor(height: int, width: int, factor: int) -> None:
    image = RNG.random((height, width, 3), dtype=np.float32)
    picture = draw_heatmap(image, flat(0, height, width), scale=0.2)
    assert picture.enlarged == factor
    expected = bytes_of(image).repeat(factor, axis=0).repeat(factor, axis=1)
    np.testing.assert_array_equal(map_part(picture, height, width), expected)


@pytest.mark.parametrize("size", [(1, 1), (32, 32), (300, 400), (900, 1500), (3000, 20), (20, 3000), (1, 65_535)])
def test_the_colour_bar_is_readable_at_every_size(size: tuple[int, int]) -> None:
    height, width = size
    picture = draw_heatmap(flat(0.5, height, width), flat(0, height, width), scale=0.2)
    strip = pixels_of(picture.png)[height * picture.enlarged :]
    assert strip.shape[1] >= 240
    assert len(strip) >= 60
    assert len(strip) <= 75 * max(1, width * picture.enlarged / 600)
    assert (strip < 100).all(axis=2).sum() > 100  # text


def test_the_colour_bar_runs_from_one_end_of_the_map_to_the_other() -> None:
    picture = draw_heatmap(flat(0.5), flat(0), overlay="none", scale=0.2)
    table = color_map(None, "signed").table.astype(int)
    strip = pixels_of(picture.png)[SIDE:].astype(int)
    row = next(line for line in strip[20:] if np.abs(line[12] - table[0]).max() < 12)
    assert np.abs(row[SIDE // 2] - table[MIDDLE]).max() < 12
    assert np.abs(row[SIDE - 13] - table[-1]).max() < 12


def test_the_labels_say_the_scale() -> None:
    one, other = (pixels_of(draw_heatmap(PHOTO, flat(0), scale=scale).png)[SIDE:] for scale in (0.2, 0.3))
    assert (one != other).any()


def test_unknown_color_maps_are_an_option_error() -> None:
    with pytest.raises(OptionError, match="viridis"):
        draw_heatmap(PHOTO, flat(0), scale=0.2, color_map_name="viridis")


@pytest.mark.parametrize(("level", "expected"), [(0, 128), (0.1, 191), (-0.1, 64), (0.2, 255), (-1, 0)])
def test_perturbation_is_mid_grey_and_the_gained_change(level: float, expected: int) -> None:
    picture = draw_perturbation(flat(level, 4, 6), scale=0.2)
    assert picture.gain == 2.5
    assert (picture.width, picture.height) == (6, 4)
    assert (pixels_of(picture.png) == expected).all()


def test_one_channel_of_perturbation_is_grey() -> None:
    assert pixels_of(draw_perturbation(flat(0.1, 4, 6, 1), scale=0.2).png).shape == (4, 6, 3)


def test_unseen_parts_of_a_perturbation_are_hatched_not_mid_grey() -> None:
    change = flat(0)
    change[:, :100] = np.nan
    part = pixels_of(draw_perturbation(change, scale=0.2).png)
    assert part[:, :100].std() > 10
    assert (part[:, 100:] == 128).all()


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9), rms=st.floats(0, 1), seed=st.integers(0, 99))
def test_explained_is_the_clamped_and_rounded_sum_at_the_images_size(
    height: int, width: int, rms: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    image = rng.random((height, width, 3), dtype=np.float32)
    change = (rms * rng.standard_normal((height, width, 3))).astype(np.float32)
    picture = draw_explained(image, change)
    wanted = np.rint(np.clip(image + change, 0, 1) * np.float32(255))
    np.testing.assert_array_equal(picture.pixels, wanted)
    np.testing.assert_array_equal(pixels_of(picture.png), picture.pixels)
    assert (picture.width, picture.height) == (width, height)


def test_explained_decodes_to_the_pixels_it_reports() -> None:
    picture = draw_explained(PHOTO, flat(0.03))
    again = decode(picture.png, DecodeLimits(10_000_000, 1_000_000, 60))
    np.testing.assert_array_equal(again.pixels, picture.pixels)
    assert again.notes == ()


def test_unseen_parts_keep_their_pixels() -> None:
    fitted = fitting(20, 10, height=5, width=5, channels=1, fit="center_crop")
    picture = draw_explained(PHOTO[:20, :10], fitted.to_image(torch.full((1, 5, 5), 0.1)))
    np.testing.assert_array_equal(picture.pixels[:5], bytes_of(PHOTO[:5, :10]))
    assert (picture.pixels[5:15] != bytes_of(PHOTO[5:15, :10])).any()


def test_one_channel_of_change_moves_all_colours_alike() -> None:
    assert draw_explained(flat(0.2, 2, 2), flat(0.2, 2, 2, 1)).pixels.tolist() == [[[102] * 3] * 2] * 2
