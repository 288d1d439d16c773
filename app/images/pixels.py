"""Pillow's many kinds of pixels to RGB, 8 or 16 bits, upright, with a note wherever something had to be decided."""

import sys
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from app.errors import NotAnImage
from app.images.bands import bands
from app.images.lean import is_lean, lean_pixels
from app.images.transparency import ON_WHITE, eight_bits_on_white

Pixels = NDArray[np.uint8 | np.uint16]

FIRST_OF_SEVERAL = "The file holds several pictures; the first was taken."
FROM_CMYK = "CMYK was converted to RGB without a colour profile."
REDUCED = "16 bits were reduced to 8."
UPRIGHT = "The picture was turned upright, as its EXIF orientation says."

SIXTEEN_BIT_GREY = ("I;16", "I;16L", "I;16B", "I;16N")
WHITE = 65535
ORIENTATION = 0x0112
TIFF_BITS_PER_SAMPLE = 258
TIFF_PHOTOMETRIC = 262
TIFF_PLANAR = 284
WHITE_IS_ZERO = 0


def rgb_pixels(image: ImageFile.ImageFile, reopen: Callable[[], ImageFile.ImageFile]) -> tuple[Pixels, tuple[str, ...]]:
    """Upright RGB pixels (height, width, 3) and the notes. `reopen` opens the same bytes once more.

    Raises:
        NotAnImage: a kind of pixels without an agreed meaning. Whatever else Pillow raises on damaged files.
    """
    _refuse_unreadable_kinds(image)
    pixels: Pixels
    if image.mode in SIXTEEN_BIT_GREY:
        pixels, notes = _sixteen_bit_grey(image)
    elif (layout := _sixteen_bit_layout(image)) is not None:
        pixels, notes = _sixteen_bit_color(image, reopen(), layout)
    else:
        pixels, notes = _eight_bit(image)
    return _upright(image, pixels, notes)


def _refuse_unreadable_kinds(image: ImageFile.ImageFile) -> None:
    if image.mode in ("I", "F"):
        raise NotAnImage(
            "The image holds 32-bit or floating-point levels, which have no agreed black and white; send 8 or 16 bits."
        )
    if image.mode == "LAB":
        raise NotAnImage("The image holds CIE Lab colours, which are not read here; send RGB.")
    tags = getattr(image, "tag_v2", {})
    in_planes = tags.get(TIFF_PLANAR) == 2 and image.mode not in SIXTEEN_BIT_GREY
    if in_planes and max(tags.get(TIFF_BITS_PER_SAMPLE, (1,))) > 8:
        # Pillow takes each byte of such a plane for a pixel, or loses the low bytes, without a word.
        raise NotAnImage("The TIFF holds 16-bit colours in separate planes, which is not read here; interleave them.")


def _sixteen_bit_grey(image: ImageFile.ImageFile) -> tuple[NDArray[np.uint16], list[str]]:
    """Also 12 bits, which TIFF allows; white-is-zero and a transparent level are ours to apply, Pillow does not."""
    tags = getattr(image, "tag_v2", {})
    bits = max(tags.get(TIFF_BITS_PER_SAMPLE, (16,)))
    grey = np.asarray(image).astype(np.uint16, copy=False)
    transparent = image.info.get("transparency")
    if bits == 12:
        grey = (grey.astype(np.uint32) * WHITE // 4095).astype(np.uint16)
    if tags.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO:
        grey = WHITE - grey
    notes = []
    if isinstance(transparent, int) and (grey == transparent).any():
        grey = np.where(grey == transparent, np.uint16(WHITE), grey)
        notes.append(ON_WHITE)
    return np.broadcast_to(grey[:, :, None], (*grey.shape, 3)), notes  # no memory of its own


def _sixteen_bit_layout(image: ImageFile.ImageFile) -> str | None:
    """RGB, RGBX, RGBA or LA where each has 16 bits and both its bytes can be had, else None."""
    layout, _, bits = _raw_mode(image).partition(";")
    return layout if layout in ("RGB", "RGBX", "RGBA", "LA") and bits in ("16B", "16L", "16N") else None


def _sixteen_bit_color(
    image: ImageFile.ImageFile, again: ImageFile.ImageFile, layout: str
) -> tuple[NDArray[np.uint16], list[str]]:
    """Pillow keeps the high byte of 16-bit colour alone. Told the other byte order, it keeps the low one."""
    swapped = _raw_mode(image)[:-1] + {"B": "L", "L": "B", "N": _foreign_order()}[_raw_mode(image)[-1]]
    if layout == "LA":
        # There is no such other order for this one; its four bytes pass unchanged for red, green, blue and alpha.
        _set_raw_mode(image, "RGBA")
        both = np.asarray(image).view(">u2").astype(np.uint16)
        return _on_white(np.repeat(both[:, :, :1], 3, axis=2), both[:, :, 1:])
    _set_raw_mode(again, swapped)
    deep = np.asarray(image).astype(np.uint16) << 8 | np.asarray(again)
    if layout == "RGBA":
        return _on_white(deep[:, :, :3], deep[:, :, 3:])
    transparent = image.info.get("transparency")
    if isinstance(transparent, tuple):
        return _on_white(deep, WHITE * (deep != transparent).any(axis=2, keepdims=True).astype(np.uint16))
    return deep, []


def _foreign_order() -> str:
    return "B" if sys.byteorder == "little" else "L"


def _raw_mode(image: ImageFile.ImageFile) -> str:
    """How the file's bytes are laid out, in Pillow's words; "" where there are no bytes to lay out."""
    arguments = image.tile[0].args if image.tile else ""
    name = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return name if isinstance(name, str) else ""


def _set_raw_mode(image: ImageFile.ImageFile, name: str) -> None:
    image.tile = [
        tile._replace(args=(name, *tile.args[1:]) if isinstance(tile.args, tuple) else name) for tile in image.tile
    ]


def _on_white(color: NDArray[np.uint16], alpha: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], list[str]]:
    """16-bit colour (h, w, 3) on white as alpha (h, w, 1) says, rounded to nearest. Nothing overflows 32 bits."""
    if (alpha == WHITE).all():
        return color, []
    opacity = alpha.astype(np.uint32)
    mixed = (color * opacity + WHITE * (WHITE - opacity) + WHITE // 2) // WHITE
    return mixed.astype(np.uint16), [ON_WHITE]


def _eight_bit(image: ImageFile.ImageFile) -> tuple[NDArray[np.uint8], list[str]]:
    notes = [REDUCED] if ";16" in _raw_mode(image) else []
    if not notes and is_lean(image):
        return lean_pixels(image), notes
    image.load()
    if image.mode == "CMYK":
        notes.append(FROM_CMYK)
    if image.mode == "La":
        return _by_bands(image, lambda part: eight_bits_on_white(part.convert("LA"), []), notes)
    if image.has_transparency_data:
        return _by_bands(image, lambda part: eight_bits_on_white(part, []), notes)
    return _by_bands(image, lambda part: (np.asarray(part.convert("RGB")), []), notes)


def _by_bands(
    image: Image.Image, read: Callable[[Image.Image], tuple[NDArray[np.uint8], list[str]]], notes: list[str]
) -> tuple[NDArray[np.uint8], list[str]]:
    """RGB pixels and the notes: a large image is not copied whole on the way, which Pillow does up to three times."""
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    said = dict.fromkeys(notes)
    for band in bands(image.height, image.width):
        pixels[band], more = read(image.crop((0, band.start, image.width, band.stop)))
        said |= dict.fromkeys(more)
    return pixels, list(said)


def _upright(image: ImageFile.ImageFile, pixels: Pixels, notes: list[str]) -> tuple[Pixels, tuple[str, ...]]:
    """Turned as the EXIF orientation says. Pillow has done so for TIFF already, and then removed the tag."""
    turns: dict[int, Callable[[Pixels], Pixels]] = {
        2: lambda stored: stored[:, ::-1],
        3: lambda stored: stored[::-1, ::-1],
        4: lambda stored: stored[::-1],
        5: lambda stored: stored.swapaxes(0, 1),
        6: lambda stored: np.rot90(stored, -1),
        7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
        8: np.rot90,
    }
    orientation = _orientation(image)
    if orientation not in turns:
        return pixels, tuple(notes)
    return np.ascontiguousarray(turns[orientation](pixels)), (*notes, UPRIGHT)


def _orientation(image: ImageFile.ImageFile) -> int:
    if image.format == "PNG" and is_lean(image):
        return 1
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - a photograph with broken EXIF is still a photograph
        return 1
