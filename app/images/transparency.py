"""Pictures with transparent parts, on white."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ON_WHITE = "Transparent parts were laid on white."


def eight_bits_on_white(image: Image.Image, notes: list[str]) -> tuple[NDArray[np.uint8], list[str]]:
    """RGB of any 8-bit picture, its transparent parts on white, and the notes with a word on that."""
    rgba = image.convert("RGBA")
    if rgba.getchannel("A").getextrema() == (255, 255):
        return np.asarray(rgba.convert("RGB")), notes
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, rgba).convert("RGB")), [*notes, ON_WHITE]
