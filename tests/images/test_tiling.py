"""Tiles cover what they are to cover, and their maps are joined without seams: closed forms, and no jumps."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.images.fit import Box, Carried, fitting
from app.images.tiling import Joined, Tiling, least_side

NETWORK = 8
OVERLAPS = st.floats(0, 0.5)


def join(tiling: Tiling, height: int, width: int, maps: list[torch.Tensor]) -> Joined:
    tiles = [
        Carried(fitting(height, width, height=NETWORK, width=NETWORK, channels=3, fit="stretch", region=box), one)
        for box, one in zip(tiling.boxes(), maps, strict=True)
    ]
    return Joined(tiles, tiling.ramp_pixels)


def whole(joined: Joined, height: int) -> NDArray[np.float32]:
    """Put together of single rows and of bands."""
    parts = [joined.rows(slice(0, 1)), joined.rows(slice(1, height // 2)), joined.rows(slice(height // 2, height))]
    return np.concatenate(parts)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(1, 90), st.integers(1, 90), st.integers(1, 90), OVERLAPS)
def test_tiles_cover_their_part_and_nothing_else(
    left: int, top: int, width: int, height: int, side: int, overlap: float
) -> None:
    part = Box(left, top, width, height)
    tiling = Tiling(part, side, overlap)
    covered = np.zeros((top + height + 5, left + width + 5), dtype=int)
    boxes = tiling.boxes()
    for box in boxes:
        assert (box.width, box.height) == (min(side, width), min(side, height))
        covered[box.rows, box.columns] += 1
    assert (covered[part.rows, part.columns] > 0).all()
    assert covered.sum() == covered[part.rows, part.columns].sum()
    assert len(set(boxes)) == len(boxes) == tiling.counts[0] * tiling.counts[1]


@pytest.mark.parametrize(
    ("length", "side", "overlap", "starts"),
    [
        (100, 40, 0.25, [0, 30, 60]),
        (105, 40, 0.25, [0, 30, 60, 65]),
        (40, 40, 0.25, [0]),
        (41, 40, 0.25, [0, 1]),
        (39, 40, 0.5, [0]),
        (80, 40, 0.0, [0, 40]),
        (80, 40, 0.5, [0, 20, 40]),
        (3, 1, 0.5, [0, 1, 2]),
    ],
)
def test_the_last_tile_is_moved_inwards(length: int, side: int, overlap: float, starts: list[int]) -> None:
    boxes = Tiling(Box(0, 0, length, side), side, overlap).boxes()
    assert [box.left for box in boxes] == starts


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300), OVERLAPS, st.integers(1, 64))
def test_the_least_side_is_the_least(width: int, height: int, overlap: float, most: int) -> None:
    part = Box(0, 0, width, height)

    def count(side: int) -> int:
        return len(Tiling(part, side, overlap).boxes())

    least = least_side(part, overlap, most)
    assert count(least) <= most
    assert least == 1 or count(least - 1) > most


@settings(max_examples=40, deadline=None)
@given(st.integers(5, 90), st.integers(5, 90), st.integers(8, 60), OVERLAPS, st.floats(-1, 1))
def test_equal_maps_join_to_the_map_that_they_are(
    height: int, width: int, side: int, overlap: float, level: float
) -> None:
    tiling = Tiling(Box(0, 0, width, height), side, overlap)
    flat = torch.full((3, NETWORK, NETWORK), level)
    joined = join(tiling, height, width, [flat] * len(tiling.boxes()))
    assert joined.sees_all
    np.testing.assert_allclose(whole(joined, height), level, atol=2e-5)


@pytest.mark.parametrize("overlap", [0.125, 0.25, 0.5])
def test_a_slope_over_the_image_is_the_same_in_tiles(overlap: float) -> None:
    """Each tile sees its part of one slope, exactly so inside it; the cubic flattens it half a cell from its edge."""
    side, length = 16 * NETWORK, 40 * NETWORK
    tiling = Tiling(Box(0, 0, length, side), side, overlap)
    cell = side / NETWORK
    maps = []
    for box in tiling.boxes():
        centers = box.left + cell * (torch.arange(NETWORK) + 0.5)
        maps.append((centers / length).expand(3, NETWORK, NETWORK))
    made = whole(join(tiling, side, length, maps), side)[side // 2, :, 0]
    expected = (np.arange(length) + 0.5) / length
    assert np.abs(made - expected).max() <= cell / 2 / length + 1e-3
    inside = slice(int(2 * cell), length - int(2 * cell))
    steps = np.diff(made)[inside]
    assert steps.min() > 0
    assert np.abs(np.diff(made)).max() < 3 / length


@pytest.mark.parametrize("overlap", [0.25, 0.5])
def test_where_tiles_end_the_joined_map_jumps_no_more_than_inside_them(overlap: float) -> None:
    side, length = 64, 208
    tiling = Tiling(Box(0, 0, length, length), side, overlap)
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(3, NETWORK, NETWORK, generator=generator) for _ in tiling.boxes()]
    made = whole(join(tiling, length, length, maps), length)
    edges = sorted({at for box in tiling.boxes() for at in (box.left, box.left + box.width) if 0 < at < length})
    alone = fitting(side, side, height=NETWORK, width=NETWORK, channels=3, fit="stretch")
    inside = max(np.abs(np.diff(alone.to_image(one), axis=1)).max() for one in maps)
    assert len(edges) > 4
    assert np.abs(np.diff(made, axis=1))[:, [edge - 1 for edge in edges]].max() <= inside
    assert np.abs(np.diff(made, axis=0))[[edge - 1 for edge in edges]].max() <= inside


def test_without_overlap_there_are_the_seams_that_were_asked_for() -> None:
    tiling = Tiling(Box(0, 0, 32, 16), 16, 0)
    maps = [torch.full((3, NETWORK, NETWORK), level) for level in (0.0, 1.0)]
    row = whole(join(tiling, 16, 32, maps), 16)[3, :, 0]
    np.testing.assert_allclose(row, [0] * 16 + [1] * 16, atol=1e-5)


def test_two_tiles_change_places_along_a_cosine() -> None:
    tiling = Tiling(Box(0, 0, 48, 32), 32, 0.5)
    maps = [torch.full((1, NETWORK, NETWORK), level) for level in (0.0, 1.0)]
    row = whole(join(tiling, 32, 48, maps), 32)[3, :, 0]
    ramp = np.sin(np.pi / 2 * (np.arange(16) + 0.5) / 16) ** 2
    np.testing.assert_allclose(row, [*[0] * 16, *ramp, *[1] * 16], atol=1e-5)


def test_what_no_tile_covers_is_not_a_number() -> None:
    tiling = Tiling(Box(10, 5, 30, 20), 16, 0.25)
    joined = join(tiling, 40, 60, [torch.ones(3, NETWORK, NETWORK)] * len(tiling.boxes()))
    made = whole(joined, 40)
    assert not joined.sees_all
    np.testing.assert_allclose(made[5:25, 10:40], 1, atol=1e-5)
    made[5:25, 10:40] = np.nan
    assert np.isnan(made).all()
