"""Whatever a program has as an image, as the bytes to send."""

import base64
import io
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.client.errors import UnusableImage


@dataclass(frozen=True)
class InArchive:
    """An image that the server fetches from its DICOMweb archive: the UIDs of its study, its series and itself."""

    study: str
    series: str
    instance: str


ImageLike: TypeAlias = bytes | str | PathLike[str] | Image.Image | NDArray[Any] | InArchive
"""A file's bytes or path, which are sent as they are; a PIL image; or pixels (height, width) or (height, width, 3),
uint8 or floats in [0, 1]. Or where the server finds it."""


def image_member(image: ImageLike) -> dict[str, str]:
    """The image as a member of the JSON to send; raises as `image_bytes` does."""
    if isinstance(image, InArchive):
        return {"dicomweb": f"{image.study}/{image.series}/{image.instance}"}
    return {"image": base64.b64encode(image_bytes(image)).decode("ascii")}


def image_bytes(image: bytes | str | PathLike[str] | Image.Image | NDArray[Any]) -> bytes:
    """The bytes of an image file.

    Raises:
        UnusableImage: the file cannot be read, or the pixels are of no kind that means an image.
    """
    if isinstance(image, bytes):
        return image
    if isinstance(image, np.ndarray):
        image = Image.fromarray(_eight_bits(image))
    if isinstance(image, Image.Image):
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue()
    try:
        return Path(image).read_bytes()
    except OSError as error:
        raise UnusableImage(f"{image} cannot be read: {error.strerror}.") from error


def _eight_bits(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] != 3):
        raise UnusableImage(f"The pixels have shape {pixels.shape}; give (height, width) or (height, width, 3).")
    if np.issubdtype(pixels.dtype, np.floating):
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise UnusableImage("Pixels that are floats must lie in [0, 1].")
        pixels = np.rint(pixels * 255).astype(np.uint8)
    if pixels.dtype != np.uint8:
        raise UnusableImage(f"The pixels are of type {pixels.dtype}; give uint8, or floats in [0, 1].")
    return np.asarray(pixels, np.uint8)
