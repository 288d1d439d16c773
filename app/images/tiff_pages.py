"""Pages of a TIFF, without reading any but the one that is wanted.

A TIFF is a chain of directories, one a page, each with the place of the next. Its header has the place of the first: a
copy whose header names another directory is a file that begins with that page.
"""

import struct
from dataclasses import dataclass

from app.errors import DamagedImage

MAX_PAGES = 10_000  # a chain costs a step a page, and may lead on for as long as the file is


@dataclass(frozen=True)
class _Layout:
    """Where the numbers are in a TIFF, or in a BigTIFF; `order` is "<" or ">", formats are `struct`'s."""

    order: str
    first_at: int
    count: str
    entry_bytes: int
    place: str

    def read(self, form: str, data: bytes, at: int) -> int:
        """One number; 0, which is no place, where the file ends before."""
        if at + struct.calcsize(self.order + form) > len(data):
            return 0
        return int(struct.unpack_from(self.order + form, data, at)[0])


def page_places(data: bytes) -> list[int]:
    """Where the directory of each page is.

    Raises:
        DamagedImage: there are more than `MAX_PAGES`, or the chain bites its own tail.
    """
    layout = _layout(data)
    places: list[int] = []
    seen: set[int] = set()
    at = layout.read(layout.place, data, layout.first_at)
    while 0 < at < len(data):
        if at in seen:
            raise DamagedImage("The TIFF's pages lead back to one before; it is damaged.")
        if len(places) == MAX_PAGES:
            raise DamagedImage(f"The TIFF has more than {MAX_PAGES} pages; split it.")
        places.append(at)
        seen.add(at)
        entries = layout.read(layout.count, data, at)
        at = layout.read(
            layout.place, data, at + struct.calcsize(layout.order + layout.count) + entries * layout.entry_bytes
        )
    return places


def from_page(data: bytes, place: int) -> bytes:
    """The same file, its first page the one whose directory is there."""
    layout = _layout(data)
    form = layout.order + layout.place
    if layout.read(layout.place, data, layout.first_at) == place:
        return data  # a large file is not copied for nothing
    return data[: layout.first_at] + struct.pack(form, place) + data[layout.first_at + struct.calcsize(form) :]


def _layout(data: bytes) -> _Layout:
    order = "<" if data.startswith(b"II") else ">"
    return _Layout(order, 8, "Q", 20, "Q") if b"+" in data[2:4] else _Layout(order, 4, "H", 12, "I")
