"""Images meet the network by area means, and maps come home so that the network sees exactly what was meant."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.images.fit import LUMINANCE, Box, Fit, Fitting, fitting

FITS: list[Fit] = ["stretch", "letterbox", "center_crop"]
SIDE = 8


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


def change(fit: Fitting, seed: int = 1, rms: float = 0.1) -> torch.Tensor:
    """White noise, the hardest map to carry, zero outside `content`, where it would be dropped."""
    d = torch.zeros(fit.channels, fit.height, fit.width)
    generator = torch.Generator().manual_seed(seed)
    shape = (fit.channels, fit.content.height, fit.content.width)
    d[:, fit.content.rows, fit.content.columns] = rms * torch.randn(shape, generator=generator)
    return d


def square(height: int, width: int, fit: Fit = "stretch", channels: int = 3, side: int = SIDE) -> Fitting:
    return fitting(height, width, height=side, width=side, channels=channels, fit=fit)


def seen_again(fit: Fitting, pixels: NDArray[np.float32], d: torch.Tensor) -> torch.Tensor:
    return fit.to_network(pixels + fit.to_image(d)) - fit.to_network(pixels)


def test_whole_multiples_give_the_block_mean() -> None:
    pixels = noise(24, 16)
    means = pixels.reshape(8, 3, 8, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(square(24, 16).to_network(pixels).permute(1, 2, 0), means, atol=2e-7)


def test_an_image_of_the_networks_size_passes_unchanged() -> None:
    pixels = noise(SIDE, SIDE)
    assert (square(SIDE, SIDE).to_network(pixels).permute(1, 2, 0).numpy() == pixels).all()


def test_a_map_of_the_networks_size_passes_unchanged() -> None:
    d = change(square(SIDE, SIDE))
    assert (square(SIDE, SIDE).to_image(d) == d.permute(1, 2, 0).numpy()).all()


def test_other_ratios_weigh_pixels_by_the_area_they_cover() -> None:
    pixels = np.zeros((3, 2, 3), dtype=np.float32)
    pixels[1] = 1  # of three rows the middle one lies half under each of two outputs: 0.5 of 1.5 rows
    seen = fitting(3, 2, height=2, width=2, channels=3, fit="stretch").to_network(pixels)
    np.testing.assert_allclose(seen, np.full((3, 2, 2), 1 / 3), atol=1e-7)


def test_small_images_are_interpolated_linearly() -> None:
    pixels = np.array([[[0.0] * 3, [1.0] * 3]], dtype=np.float32)
    seen = fitting(1, 2, height=1, width=4, channels=3, fit="stretch").to_network(pixels)
    np.testing.assert_allclose(seen[0], [[0, 0.25, 0.75, 1]], atol=1e-7)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("size", [(8, 8), (16, 8), (24, 40), (64, 64)])
def test_maps_carried_to_whole_multiples_are_seen_exactly(size: tuple[int, int], fit: Fit) -> None:
    fitted = square(*size, fit)
    d = change(fitted)
    torch.testing.assert_close(seen_again(fitted, noise(*size), d), d, atol=1e-6, rtol=0)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(12, 60), width=st.integers(12, 60), fit=st.sampled_from(FITS), seed=st.integers(0, 99))
def test_maps_are_seen_closely_from_half_again_the_networks_size(height: int, width: int, fit: Fit, seed: int) -> None:
    fitted = square(height, width, fit)
    if fitted.seen.height < 1.5 * fitted.content.height or fitted.seen.width < 1.5 * fitted.content.width:
        return
    d = change(fitted, seed)
    torch.testing.assert_close(seen_again(fitted, noise(height, width, seed), d), d, atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 65_535), (65_535, 1), (1, 18), (18, 1)])
def test_maps_are_seen_on_images_of_a_single_line(size: tuple[int, int]) -> None:
    fitted = square(*size, side=1 + SIDE)
    across = torch.linspace(-0.1, 0.1, 1 + SIDE)
    d = (across[None] if size[0] == 1 else across[:, None]).expand(3, 1 + SIDE, 1 + SIDE)
    torch.testing.assert_close(seen_again(fitted, noise(*size), d), d, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("image", "network"), [(33, 32), (225, 224), (31, 32), (223, 224)])
def test_just_off_the_networks_size_a_map_does_not_blow_up(image: int, network: int) -> None:
    fitted = square(image, image, side=network)
    d = change(fitted)
    assert np.sqrt(np.mean(fitted.to_image(d) ** 2)) < 3 * d.square().mean().sqrt()


@pytest.mark.parametrize("image", [4, 5, 7])
def test_what_a_small_image_can_show_comes_back_as_it_was(image: int) -> None:
    fitted = square(image, image)
    pixels = noise(image, image)
    np.testing.assert_allclose(fitted.to_image(fitted.to_network(pixels)), pixels, atol=0.02 if image == 7 else 1e-4)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 40), width=st.integers(1, 40), fit=st.sampled_from(FITS), level=st.floats(-1, 1))
def test_a_flat_map_stays_flat(height: int, width: int, fit: Fit, level: float) -> None:
    fitted = square(height, width, fit)
    carried = fitted.to_image(torch.full((3, SIDE, SIDE), level))
    assert carried.shape == (height, width, 3)
    np.testing.assert_allclose(carried[fitted.seen.rows, fitted.seen.columns], level, atol=1e-5)


def test_carried_maps_are_smooth() -> None:
    d = torch.zeros(1, SIDE, SIDE)
    d[0, 4, 4] = 1
    carried = square(128, 128, channels=1).to_image(d)[:, :, 0]
    peak = np.abs(carried).max()
    assert np.abs(np.diff(carried, axis=0)).max() < 0.15 * peak
    assert np.abs(np.diff(carried, axis=1)).max() < 0.15 * peak


def test_letterbox_has_mid_grey_bars_above_and_below_a_wide_image() -> None:
    fitted = square(16, 32, "letterbox")
    assert fitted.content == Box(left=0, top=2, width=8, height=4)
    assert fitted.seen == Box(0, 0, 32, 16)
    seen = fitted.to_network(np.zeros((16, 32, 3), dtype=np.float32))
    assert (seen[:, :2] == 0.5).all()
    assert (seen[:, 2:6] == 0).all()
    assert (seen[:, 6:] == 0.5).all()


def test_what_lies_on_a_letterboxs_bars_is_dropped() -> None:
    fitted = square(16, 32, "letterbox")
    d = torch.zeros(3, SIDE, SIDE)
    d[:, :2] = 1
    assert (fitted.to_image(d) == 0).all()


def test_center_crop_sees_the_middle_of_a_tall_image() -> None:
    fitted = square(32, 16, "center_crop")
    assert fitted.seen == Box(left=0, top=8, width=16, height=16)
    pixels = np.zeros((32, 16, 3), dtype=np.float32)
    pixels[8:24] = 1
    assert (fitted.to_network(pixels) == 1).all()


def test_what_the_network_never_saw_is_not_a_number() -> None:
    fitted = square(32, 16, "center_crop")
    carried = fitted.to_image(torch.ones(3, SIDE, SIDE))
    assert np.isnan(carried[:8]).all()
    assert np.isnan(carried[24:]).all()
    assert np.isfinite(carried[8:24]).all()


@settings(max_examples=200)
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 300), st.integers(1, 300), st.sampled_from(FITS))
def test_boxes_lie_within_their_frames(height: int, width: int, rows: int, columns: int, fit: Fit) -> None:
    fitted = fitting(height, width, height=rows, width=columns, channels=3, fit=fit)
    for box, frame in [(fitted.seen, (height, width)), (fitted.content, (rows, columns))]:
        assert min(box.left, box.top) >= 0
        assert min(box.width, box.height) >= 1
        assert box.top + box.height <= frame[0]
        assert box.left + box.width <= frame[1]


def test_one_channel_is_luminance() -> None:
    red = np.zeros((SIDE, SIDE, 3), dtype=np.float32)
    red[:, :, 0] = 1
    torch.testing.assert_close(
        square(SIDE, SIDE, channels=1).to_network(red), torch.full((1, SIDE, SIDE), LUMINANCE[0])
    )


def test_a_map_added_to_all_channels_adds_to_the_luminance() -> None:
    fitted = square(16, 16, channels=1)
    d = change(fitted)
    torch.testing.assert_close(seen_again(fitted, noise(16, 16), d), d, atol=1e-6, rtol=0)


def test_pixels_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        square(16, 16).to_network(noise(16, 17))


def test_maps_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="expected"):
        square(16, 16).to_image(torch.zeros(3, SIDE, SIDE + 1))


@pytest.mark.slow
@pytest.mark.parametrize("side", [32, 224])
def test_twelve_megapixels_take_bounded_time(side: int) -> None:
    fitted = square(3000, 4000, side=side)
    pixels = noise(3000, 4000)
    began = time.monotonic()
    fitted.to_image(fitted.to_network(pixels))
    assert time.monotonic() - began < 5  # half a second where nothing else runs


@pytest.mark.parametrize("fit", ["stretch", "letterbox", "center_crop"])
def test_a_region_is_fitted_as_if_it_were_the_image(fit: Fit) -> None:
    image = np.random.default_rng(3).random((40, 60, 3)).astype(np.float32)
    box = Box(left=10, top=5, width=30, height=20)
    part = np.ascontiguousarray(image[5:25, 10:40])
    of_part = fitting(20, 30, height=8, width=8, channels=3, fit=fit)
    of_region = fitting(40, 60, height=8, width=8, channels=3, fit=fit, region=box)
    torch.testing.assert_close(of_region.to_network(image), of_part.to_network(part), rtol=0, atol=0)
    change = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    carried = of_region.to_image(change)
    np.testing.assert_array_equal(carried[5:25, 10:40], of_part.to_image(change))
    carried[5:25, 10:40] = np.nan
    assert np.isnan(carried).all()
