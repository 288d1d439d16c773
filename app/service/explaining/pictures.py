"""From a perturbation, carried to the upload's own pixels, to the pictures asked for."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.images.render import draw_heatmap, draw_perturbation, draw_pixels, explained_pixels
from app.service.options import ExplainOptions
from app.service.results import DrawnPicture


@dataclass(frozen=True)
class Drawn:
    """Pictures by name, and the explained picture's pixels, uint8 (height, width, 3): what is sent, so measured."""

    pictures: Mapping[str, DrawnPicture]
    sent: NDArray[np.uint8]


def draw_original(pixels: NDArray[np.uint8]) -> DrawnPicture:
    """The upload as it was read: upright, on white; RGB (height, width, 3)."""
    drawn = draw_pixels(pixels)
    return DrawnPicture(drawn.png, drawn.width, drawn.height)


def draw(
    image: NDArray[np.float32], carried: NDArray[np.float32], options: ExplainOptions, default_scale: float
) -> Drawn:
    """Draw one target's pictures.

    Heatmap and perturbation show the change that is really sent, after clamping and rounding, not the one asked for: on
    white paper, what would be brighter than white is no change.

    Args:
        image: RGB (height, width, 3) in [0, 1], as uploaded.
        carried: (height, width, channels), the perturbation in the image's own pixels; NaN where it was not seen.
        options: which pictures, and how.
        default_scale: pixel level at the end of the colour bar, unless the options say another.
    """
    sent = explained_pixels(image, carried)
    change = sent * np.float32(1 / 255) - image
    change[np.isnan(carried).any(axis=2)] = np.nan
    scale = default_scale if options.scale is None else options.scale
    pictures: dict[str, DrawnPicture] = {}
    for name in options.include:
        if name == "heatmap":
            pictures[name] = draw_map(image, change, options, default_scale)
        elif name == "perturbation":
            shown = draw_perturbation(change, scale=default_scale if scale == "auto" else scale)
            pictures[name] = DrawnPicture(shown.png, shown.width, shown.height, gain=shown.gain)
        elif name == "explained":
            explained = draw_pixels(sent)
            pictures[name] = DrawnPicture(explained.png, explained.width, explained.height)
    return Drawn(pictures, sent)


def draw_map(
    image: NDArray[np.float32],
    change: NDArray[np.float32],
    options: ExplainOptions,
    default_scale: float,
    *,
    meaning: str | None = None,
) -> DrawnPicture:
    """A heatmap as the options have it; `meaning` is written at its bar where it is not a change of pixels."""
    heatmap = draw_heatmap(
        image,
        change,
        kind=options.heatmap,
        overlay=options.overlay,
        scale=default_scale if options.scale is None else options.scale,
        color_map_name=options.color_map,
        meaning=meaning,
    )
    return DrawnPicture(
        heatmap.png,
        heatmap.width,
        heatmap.height,
        scale=heatmap.scale,
        color_map=heatmap.color_map,
        enlarged=heatmap.enlarged,
    )
