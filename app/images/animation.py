"""Pictures one after the other, as a film that starts again at its end."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.images.render import readable_enlargement

FRAME_MILLISECONDS = 150
END_MILLISECONDS = 900  # of the first and of the last frame, which are looked at longest
LOSSY_QUALITY = 80


@dataclass(frozen=True)
class AnimatedPicture:
    """A WebP file: width and height in pixels, and the frames and seconds it has before it starts again."""

    webp: bytes
    width: int
    height: int
    frames: int
    seconds: float


def animate(frames: Sequence[NDArray[np.uint8]]) -> AnimatedPicture:
    """A frame each, at least two, all (h, w, 3).

    Small pictures are enlarged by a whole factor and kept to the last bit, which costs no more than losing some;
    larger ones, of which a film would have many MB, are compressed.
    """
    height, width = frames[0].shape[:2]
    factor = readable_enlargement(height, width)
    pictures = [Image.fromarray(frame.repeat(factor, axis=0).repeat(factor, axis=1)) for frame in frames]
    milliseconds = [END_MILLISECONDS, *[FRAME_MILLISECONDS] * (len(frames) - 2), END_MILLISECONDS]
    file = io.BytesIO()
    pictures[0].save(
        file,
        "WEBP",
        save_all=True,
        append_images=pictures[1:],
        duration=milliseconds,
        loop=0,
        lossless=factor > 1,
        quality=LOSSY_QUALITY,
        method=0,  # the slower ones gain a tenth
    )
    return AnimatedPicture(file.getvalue(), factor * width, factor * height, len(frames), sum(milliseconds) / 1000)
