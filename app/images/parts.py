"""How many pages or frames a file has, within the bounds of decoding and without decoding any of them."""

from typing import Literal

from app.images.apart.process import count_apart
from app.images.decode import APART, DecodeLimits, in_time, open_here, pillows_errors_as_ours, unidentified
from app.images.selection import Selection, refuse_frame, refuse_page
from app.images.signature import format_by_signature
from app.images.tiff_pages import page_places

PartKind = Literal["page", "frame"]
PAGED = ("PDF", "TIFF")


def count_parts(data: bytes, limits: DecodeLimits, kind: PartKind) -> int:
    """Pages of a PDF or TIFF, frames of any other file; it may say a number that it does not keep.

    Raises:
        NoSuchPart: the file has none of this kind.
        EmptyImage, NotAnImage, DamagedImage, UploadTooLarge, TooManyPixels, DecodeTimeout, DecodeTooLarge: as `decode`.
    """
    return in_time(data, limits, lambda deadline: _count(data, limits, deadline, kind))


def _count(data: bytes, limits: DecodeLimits, deadline: float, kind: PartKind) -> int:
    name = format_by_signature(data)
    if name is None:
        raise unidentified(data)
    if name in PAGED:
        refuse_frame(Selection(frame=1 if kind == "frame" else None), name)
    else:
        refuse_page(Selection(page=1 if kind == "page" else None), APART.get(name, name))
    if name in APART:
        return count_apart(name, data, max_pixels=limits.max_pixels, max_seconds=limits.max_seconds)
    with pillows_errors_as_ours(limits):
        if name == "TIFF" and (places := page_places(data)):
            return len(places)  # without opening the first of them, which may be the damaged one
        return int(getattr(open_here(data, limits, deadline), "n_frames", 1))
