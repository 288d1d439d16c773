"""What of a file is asked for, and what was taken: a page, a frame, a window of levels."""

from dataclasses import dataclass

from app.errors import NoSuchPart


@dataclass(frozen=True)
class Selection:
    """What is asked for.

    Attributes:
        page: of a PDF or TIFF, from 1; None for the first.
        frame: of any other file that holds several pictures, from 1; None for its main one.
        window: centre and width, in the file's own units, of the levels that run from black to white; None for the
            file's own.
        region: left, top, width and height, in pixels, of what the network is shown; None for all.
    """

    page: int | None = None
    frame: int | None = None
    window: tuple[float, float] | None = None
    region: tuple[int, int, int, int] | None = None


MAIN = Selection()


@dataclass(frozen=True)
class Selected:
    """What was taken: as in `Selection`, each with how many there are; None where the file has none of the kind."""

    page: int | None = None
    pages: int | None = None
    frame: int | None = None
    frames: int | None = None
    window: tuple[float, float] | None = None


def refuse_page(wanted: Selection, name: str) -> None:
    """Raise `NoSuchPart` where a page is asked for, which a file of this format does not have."""
    if wanted.page is not None:
        raise NoSuchPart(f"page is for PDF and TIFF, and the file is a {name}; leave it out, or give frame.")


def refuse_frame(wanted: Selection, name: str) -> None:
    """Raise `NoSuchPart` where a frame is asked for, which a file of this format does not have."""
    if wanted.frame is not None:
        raise NoSuchPart(f"frame is not for a {name}, which has pages; give page.")


def refuse_window(wanted: Selection, name: str) -> None:
    """Raise `NoSuchPart` where a window is asked for, and the file's levels have no units to give it in."""
    if wanted.window is not None:
        raise NoSuchPart(f"window is for the grey levels of DICOM, and the file is a {name}; leave it out.")


def choose_one(what: str, asked: int | None, count: int, default: int = 1) -> int:
    """The number of a page or frame, from 1, of `count`.

    Raises:
        NoSuchPart: there is none of this number.
    """
    number = default if asked is None else asked
    if not 1 <= number <= count:
        raise NoSuchPart(f"{what} is {number}; this file has {count}, counted from 1.")
    return number
