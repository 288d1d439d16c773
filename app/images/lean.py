"""Large JPEG and PNG files decoded to three bytes a pixel: Pillow takes four, and a copy, which would be most of all.

By torchvision's decoders, which are the same libraries as Pillow's and give the same bytes. They do not look at the
clock, so that what takes many passes over its pixels is left to Pillow. torchvision means to drop them one day; where
they are not, Pillow decodes everything, in more memory.
"""

import importlib.util
import io
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ImageFile

LEAN_PIXELS = 4_000_000
"""Images up to here are Pillow's: what it takes for them is little."""

_RGB = 3  # of torchvision's ImageReadMode
_TURNED = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
"""What in a PNG may say which way is up. Pillow looks for it after the pixels, too, and decodes them for that."""

_DECODERS = {"JPEG": "decode_jpeg", "PNG": "decode_png"}


def is_lean(image: ImageFile.ImageFile) -> bool:
    """Whether an image that was opened, but not decoded, is of a kind that `lean_pixels` reads, and large."""
    return (
        image.format in _DECODERS
        and isinstance(image.fp, io.BytesIO)
        and image.mode == "RGB"
        and image.width * image.height > LEAN_PIXELS
        and getattr(image, "n_frames", 1) == 1
        and not image.has_transparency_data
        and not image.info.get("progressive")
        and not image.info.get("interlace")
        and not (image.format == "PNG" and any(mark in image.fp.getvalue() for mark in _TURNED))
        and _has_decoders()
    )


def lean_pixels(image: ImageFile.ImageFile) -> NDArray[np.uint8]:
    """RGB pixels (height, width, 3) of an image that `is_lean`.

    Raises:
        RuntimeError: it is truncated or damaged.
    """
    decoder: Any = getattr(torch.ops.image, _DECODERS[str(image.format)])
    if not isinstance(image.fp, io.BytesIO):
        raise TypeError("the file is not in memory")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given buffer is not writable")
        data = torch.frombuffer(image.fp.getvalue(), dtype=torch.uint8)  # of the same memory; the decoders only read
    channels_first: torch.Tensor = decoder(data, _RGB, False)
    pixels: NDArray[np.uint8] = channels_first.permute(1, 2, 0).numpy()
    return pixels


@cache
def _has_decoders() -> bool:
    """Their library is loaded by itself: torchvision's package would load torch's compiler too, 80 MB of it."""
    package = importlib.util.find_spec("torchvision")
    if package is None or package.origin is None:
        return False
    for library in sorted(Path(package.origin).parent.glob("image*.so")):
        with suppress(OSError):
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
    return all(hasattr(torch.ops.image, name) for name in _DECODERS.values())
