"""Colour maps by name, from the look-up tables that come with `cmap`; a user's string never names a file or a place."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import cmap
import numpy as np
from numpy.typing import NDArray

from app.errors import OptionError

HeatmapKind = Literal["signed", "magnitude"]

# The first of each is the default: readable with every common colour blindness, ends that stand out on photographs.
SUGGESTED: dict[HeatmapKind, tuple[str, ...]] = {
    "signed": ("coolwarm", "vik", "RdBu_r", "PuOr_r", "CET_CBD1"),
    "magnitude": ("inferno", "viridis", "cividis", "magma", "batlow"),
}
CATEGORY: dict[HeatmapKind, str] = {"signed": "diverging", "magnitude": "sequential"}
LEVELS = 511  # odd, so that zero has the middle of a diverging map to itself
LONGEST_NAME_QUOTED = 40


@dataclass(frozen=True)
class ColorMap:
    """A map's name as asked for, and its RGB table, uint8 (`LEVELS`, 3), lowest value first."""

    name: str
    table: NDArray[np.uint8]


@lru_cache(maxsize=32)
def color_map(name: str | None, kind: HeatmapKind) -> ColorMap:
    """The map of that name, or None for the kind's default; a name may end in _r for the reversed map.

    Raises:
        OptionError: no such map, or of the wrong kind: signed heatmaps take diverging maps, magnitudes sequential ones.
    """
    wanted = SUGGESTED[kind][0] if name is None else name
    catalog = cmap.Colormap.catalog()
    base = wanted.removesuffix("_r")
    try:
        # By its full name, because cmap logs a warning for each short name that two collections share.
        full_name = catalog.resolve(base)
    except KeyError:
        raise OptionError(f"color_map {wanted[:LONGEST_NAME_QUOTED]!r} is not known; {_advice(kind)}") from None
    category = catalog[full_name].category
    if category != CATEGORY[kind]:
        raise OptionError(f"color_map {wanted!r} is {category}; {_advice(kind)}")
    rgba = cmap.Colormap(full_name + wanted[len(base) :]).lut(LEVELS)
    return ColorMap(wanted, np.rint(255 * rgba[:, :3]).astype(np.uint8))


def _advice(kind: HeatmapKind) -> str:
    return f"a {kind} heatmap takes a {CATEGORY[kind]} map, such as {', '.join(SUGGESTED[kind])}."
