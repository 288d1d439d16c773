"""What a reader makes of a file."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from app.errors import TooManyPixels
from app.images.selection import Selected

if TYPE_CHECKING:  # a reader process has no need of torch, which that loads
    from app.images.pixels import Pixels

MAX_SIDE = 65_535  # the most that JPEG and GIF can say; a line of a million pixels would still ask for wide pictures


@dataclass(frozen=True)
class Raster:
    """Pixels (height, width, 1 or 3), uint8 or uint16; what of the file they are; sentences on what was decided."""

    pixels: "Pixels"
    selected: Selected
    notes: list[str] = field(default_factory=list)


def require_size(width: int, height: int, max_pixels: int) -> None:
    """Raise `TooManyPixels` before they are decoded."""
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise TooManyPixels(
            f"The image has too many pixels; at most {max_pixels} (width * height) are accepted, and {MAX_SIDE} on a"
            " side."
        )
