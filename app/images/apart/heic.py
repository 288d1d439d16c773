"""A picture of a HEIC file, as phones write them."""

import pillow_heif

from app.errors import DamagedImage, EmptyImage
from app.images.apart.raster import Raster, require_size
from app.images.selection import Selected, Selection, choose_one, refuse_page, refuse_window
from app.images.transparency import eight_bits_on_white

pillow_heif.options.THUMBNAILS = False
pillow_heif.options.DEPTH_IMAGES = False
pillow_heif.options.AUX_IMAGES = False
pillow_heif.options.DECODE_THREADS = 1


def read_heic(data: bytes, wanted: Selection, max_pixels: int) -> Raster:
    """The main picture, or the one asked for. Turned as the file says: its reader does so by itself."""
    refuse_page(wanted, "HEIC")
    refuse_window(wanted, "HEIC")
    file = _opened(data)
    frames = len(file)
    number = choose_one("frame", wanted.frame, frames, default=file.primary_index + 1)
    image = file[number - 1]
    require_size(*image.size, max_pixels)
    notes = []
    if frames > 1:
        notes.append(f"Picture {number} of {frames} was taken.")
    if image.info["bit_depth"] != 8:
        notes.append("More than 8 bits were reduced to 8.")
    pixels, notes = eight_bits_on_white(image.to_pillow(), notes)
    return Raster(pixels, Selected(frame=number, frames=frames), notes)


def count_pictures(data: bytes) -> int:
    """How many pictures the file has, none of which is decoded."""
    return len(_opened(data))


def _opened(data: bytes) -> pillow_heif.HeifFile:
    try:
        file = pillow_heif.open_heif(data)
    except (ValueError, EOFError, SyntaxError, RuntimeError, OSError):
        raise DamagedImage("The HEIC is truncated or damaged, or holds no picture; it cannot be opened.") from None
    if len(file) == 0:
        raise EmptyImage("The HEIC holds no picture.")
    return file
