"""A page of a PDF, drawn by PDFium, which is built without scripts here."""

import math

import numpy as np
import pypdfium2
from numpy.typing import NDArray
from pypdfium2 import PdfiumError
from pypdfium2.raw import FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY

from app.errors import DamagedImage, EmptyImage, NotAnImage
from app.images.apart.raster import MAX_SIDE, Raster
from app.images.selection import Selected, Selection, choose_one, refuse_frame, refuse_window

POINTS_AN_INCH = 72
DOTS_AN_INCH = 150  # what fax and office scanners give; small print can be read


def read_pdf(data: bytes, wanted: Selection, max_pixels: int) -> Raster:
    """One page on white, at `DOTS_AN_INCH`, or fewer where it would have too many pixels."""
    refuse_frame(wanted, "PDF")
    refuse_window(wanted, "PDF")
    document = _opened(data)
    pages = len(document)
    number = choose_one("page", wanted.page, pages)
    try:
        pixels, dots = _drawn(document[number - 1], max_pixels)
    except PdfiumError:
        raise DamagedImage(f"Page {number} of the PDF is damaged; it cannot be drawn.") from None
    notes = [f"Page {number} of {pages} was drawn at {dots:.4g} dots an inch."]
    return Raster(pixels, Selected(page=number, pages=pages), notes)


def count_pages(data: bytes) -> int:
    """How many pages the file has, none of which is drawn."""
    return len(_opened(data))


def _opened(data: bytes) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(data)
    except PdfiumError as error:
        # PDFium's code may be a left-over of the file before.
        if error.err_code in (FPDF_ERR_PASSWORD, FPDF_ERR_SECURITY) and b"/Encrypt" in data:
            raise NotAnImage("The PDF is encrypted; send it without a password.") from None
        raise DamagedImage("The PDF is truncated or damaged; its pages cannot be found.") from None


def _drawn(page: pypdfium2.PdfPage, max_pixels: int) -> tuple[NDArray[np.uint8], float]:
    """Pixels, and the dots an inch that they were drawn at."""
    width, height = page.get_size()
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise EmptyImage("The page has no width or height.")
    scale = min(DOTS_AN_INCH / POINTS_AN_INCH, math.sqrt(max_pixels / (width * height)), MAX_SIDE / max(width, height))
    # PDFium rounds each side up to whole pixels; a page of one pixel's height could else have many too many.
    while math.ceil(width * scale) * math.ceil(height * scale) > max_pixels:
        scale *= 0.99
    bitmap = page.render(scale=scale, rev_byteorder=True)
    return bitmap.to_numpy()[:, :, :3], scale * POINTS_AN_INCH
