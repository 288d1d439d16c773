"""What an attack on an explanation came to, as pictures of the network's own input size."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from app.comparison.audit import Audit
from app.images.render import HeatmapPicture, draw_heatmap, draw_pixels
from app.service.results.facts import DrawnPicture

AUDIT_PICTURES = ("map_before", "changed", "map_after")


def draw_audit(before: Tensor, method: str, audit: Audit) -> Mapping[str, DrawnPicture]:
    """The method's map of the image, the changed image and the map of that; the first alone where nothing was found.

    Args:
        before: the image that was attacked, (channels, height, width).
        method: name, for the colour bars.
        audit: of this one image.
    """
    changed = audit.pictures[0]
    pictures = {"map_before": _drawn(heatmap_of(before, audit.map_before[0], method))}
    if audit.found[0]:
        pictures["changed"] = draw_picture(changed)
        pictures["map_after"] = _drawn(heatmap_of(changed, audit.map_after[0], method))
    return pictures


def draw_picture(image: Tensor) -> DrawnPicture:
    """An image (channels, height, width) of multiples of 1/255, pixel by pixel."""
    drawn = draw_pixels(pixels_of(image))
    return DrawnPicture(drawn.png, drawn.width, drawn.height)


def heatmap_of(image: Tensor, values: Tensor, method: str) -> HeatmapPicture:
    """A map on the grey image, on its own scale: methods' maps have units of their own."""
    largest = values.abs().max().clamp(min=1e-12)  # a heatmap's automatic scale ends at what 8 bits can show
    change = (values / largest).permute(1, 2, 0).numpy()
    return draw_heatmap(
        _floats(image), change, overlay="grayscale", scale=1.0, meaning=f"{method}, 1 is the map's largest"
    )


def pixels_of(image: Tensor) -> NDArray[np.uint8]:
    """RGB (height, width, 3) of an image (channels, height, width)."""
    return (_floats(image) * 255).round().astype(np.uint8)


def _floats(image: Tensor) -> NDArray[np.float32]:
    pixels: NDArray[np.float32] = image.permute(1, 2, 0).numpy()
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).astype(np.float32)


def _drawn(heatmap: HeatmapPicture) -> DrawnPicture:
    return DrawnPicture(
        heatmap.png, heatmap.width, heatmap.height, color_map=heatmap.color_map, enlarged=heatmap.enlarged
    )
