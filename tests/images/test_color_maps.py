"""Colour maps by name: those of the right kind, and a sentence for everything else."""

from typing import get_args

import numpy as np
import pytest

from app.errors import OptionError
from app.images.color_maps import LEVELS, SUGGESTED, HeatmapKind, color_map

KINDS: tuple[HeatmapKind, ...] = get_args(HeatmapKind)


@pytest.mark.parametrize("kind", KINDS)
def test_every_suggested_map_is_accepted(kind: HeatmapKind) -> None:
    for name in SUGGESTED[kind]:
        assert color_map(name, kind).table.shape == (LEVELS, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_the_default_is_the_first_suggestion(kind: HeatmapKind) -> None:
    assert color_map(None, kind).name == SUGGESTED[kind][0]


def test_known_colours_of_a_published_map() -> None:
    table = color_map("viridis", "magnitude").table
    assert table[0].tolist() == [68, 1, 84]
    assert table[-1].tolist() == [253, 231, 37]


def test_a_reversed_name_reverses_the_table() -> None:
    np.testing.assert_array_equal(
        color_map("viridis_r", "magnitude").table, color_map("viridis", "magnitude").table[::-1]
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["", "_r", "nosuchmap", "/etc/passwd", "http://example.org/map.json", "../vik", "vik\0"]
)
def test_unknown_names_are_refused_and_told_good_ones(name: str, kind: HeatmapKind) -> None:
    with pytest.raises(OptionError, match=SUGGESTED[kind][0]):
        color_map(name, kind)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("viridis", "signed"), ("vik", "magnitude"), ("tab10", "signed"), ("hsv", "magnitude"), ("jet", "signed")],
)
def test_maps_of_another_kind_are_refused_and_told_good_ones(name: str, kind: HeatmapKind) -> None:
    with pytest.raises(OptionError, match=f"a {kind} heatmap takes .*{SUGGESTED[kind][0]}"):
        color_map(name, kind)


def test_a_very_long_name_is_not_quoted_whole() -> None:
    with pytest.raises(OptionError) as caught:
        color_map("x" * 10_000, "signed")
    assert len(str(caught.value)) < 250


def test_diverging_defaults_tell_the_signs_apart_by_blue_and_red() -> None:
    table = color_map(None, "signed").table.astype(int)
    assert table[0, 2] > table[0, 0] + 50
    assert table[-1, 0] > table[-1, 2] + 50
