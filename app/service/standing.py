"""Where one image stands among a model's test images, by what model.json has of them."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Literal

from app.networks.description import ModelDescription

Goal = Literal["flip", "chance"]


def percentile_of(description: ModelDescription, goal: Goal, size_rms: float) -> float | None:
    """The share of test images, from 0 to 100, for which a smaller change is enough; None where nothing was measured.

    Args:
        description: whose scores may have quantiles, evenly from the smallest size to the largest.
        goal: what the change is to reach.
        size_rms: of this image's change, infinite where none was found.
    """
    sizes = _quantiles(description, goal)
    if sizes is None:
        return None
    smaller = sum(size < size_rms for size in sizes)
    if smaller in (0, len(sizes)):
        return 100.0 if smaller else 0.0
    below, above = sizes[smaller - 1], sizes[smaller]
    part = 0.0 if above == inf else (size_rms - below) / (above - below)
    return 100 * (smaller - 1 + part) / (len(sizes) - 1)


def images_measured(description: ModelDescription) -> int | None:
    """How many images the percentiles are among; None where there are none."""
    images = _measured(description).get("images")
    return images if isinstance(images, int) and _quantiles(description, "flip") is not None else None


def _quantiles(description: ModelDescription, goal: Goal) -> list[float] | None:
    listed = _measured(description).get(f"{goal}_rms_quantiles")
    if not isinstance(listed, Sequence) or isinstance(listed, str) or len(listed) < 2:
        return None
    sizes = [inf if size is None else size for size in listed]
    rising = all(isinstance(size, int | float) for size in sizes) and sizes == sorted(sizes)
    return [float(size) for size in sizes] if rising else None


def _measured(description: ModelDescription) -> Mapping[str, object]:
    margins = description.scores.get("margins")
    return margins if isinstance(margins, Mapping) else {}
