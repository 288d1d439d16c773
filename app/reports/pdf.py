"""A report as PDF, A4. Its font is in it: DejaVu Sans, which has Latin, Greek, Cyrillic, Hebrew, Arabic and more."""

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

import matplotlib as mpl
from fpdf import FPDF
from fpdf.enums import XPos, YPos
from PIL import Image

from app.reports.content import Facts, Part, Report, Shown, time_in_words

_FONT = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
_FAMILY = "DejaVu"
_MARGIN = 18.0  # millimetres, as all lengths here
_LINE = 5.0
_GAP = 3.0
_PICTURES_ABREAST = 3
_TALLEST = 85.0  # of a picture
_NAME_WIDTH = 50.0
_FACT_SIZE = 8.5  # points; a SHA-256 stands in one line
_INK, _PALE, _RULE, _NOTICE = (28, 28, 28), (95, 95, 95), (210, 210, 210), (138, 75, 0)


def write_pdf(report: Report) -> bytes:
    """The file; the same report gives the same bytes."""
    pages = _Pages(report)
    pages.write_head()
    for part in report.parts:
        pages.write_part(part)
    return bytes(pages.output())


def _abreast(pictures: Iterable[Shown]) -> Iterator[tuple[Shown, ...]]:
    """A few at a time, as they stand side by side; a wide one alone."""
    row: tuple[Shown, ...] = ()
    for shown in pictures:
        if row and (shown.wide or row[0].wide or len(row) == _PICTURES_ABREAST):
            yield row
            row = ()
        row = (*row, shown)
    if row:
        yield row


class _Row:
    """Pictures side by side, all as wide as the first of them, so that they can be compared.

    Attributes:
        across: millimetres for each, and for its caption.
        width: of each picture.
        height: of the tallest.
    """

    def __init__(self, page_width: float, pictures: tuple[Shown, ...]) -> None:
        self.pictures = pictures
        self.drawn = [Image.open(io.BytesIO(shown.png)) for shown in pictures]
        ratios = [picture.height / picture.width for picture in self.drawn]
        abreast = 1 if pictures[0].wide else _PICTURES_ABREAST
        self.across = (page_width - (abreast - 1) * _GAP) / abreast
        self.width = min(self.across, _TALLEST / ratios[0])
        self.height = self.width * max(ratios)


class _Pages(FPDF):
    """Writes from top to bottom, over as many pages as it takes."""

    def __init__(self, report: Report) -> None:
        super().__init__(format="A4")
        self._report = report
        self.set_margin(_MARGIN)
        self.c_margin = 0  # text begins where pictures do
        self.set_auto_page_break(auto=True, margin=_MARGIN + _LINE)
        self.add_font(_FAMILY, fname=_FONT)
        self._signs = self.fonts[_FAMILY.lower()].cmap  # type: ignore[union-attr]  # a font of a file has them
        self.set_title(self._shown(report.title))
        self.set_lang("en")
        self.set_creation_date(report.created)
        self.add_page()

    def write_head(self) -> None:
        """Title, when and what, and the notice in a frame."""
        self._write(self._report.title, size=17, height=8)
        self._write(f"Explanation {self._report.id}, made at {time_in_words(self._report.created)}", color=_PALE)
        self.ln(_GAP)
        self.set_draw_color(*_NOTICE)
        self._write(self._report.notice, framed=True)

    def write_part(self, part: Part) -> None:
        """Heading, paragraphs, pictures and facts."""
        rows = [_Row(self.epw, pictures) for pictures in _abreast(part.pictures)]
        self.ln(2 * _GAP)
        self._keep_together(8 * _LINE + (rows[0].height if rows else 0))
        self._write(part.heading, size=13, height=7)
        for paragraph in part.paragraphs:
            self._write(paragraph)
            self.ln(1)
        for row in rows:
            self._write_pictures(row)
        self._write_facts(part.facts)

    def footer(self) -> None:
        """FPDF asks for it at the end of each page."""
        self.set_y(-_MARGIN)
        self.set_font(_FAMILY, size=7)
        self.set_text_color(*_PALE)
        self.cell(self.epw, _LINE, f"Explanation {self._report.id}, page {self.page_no()} of {{nb}}", align="R")

    def _write_pictures(self, row: _Row) -> None:
        self._keep_together(row.height + 4 * _LINE)
        top, below = self.get_y(), self.get_y()
        for number, (shown, picture) in enumerate(zip(row.pictures, row.drawn, strict=True)):
            left, said = self.l_margin + number * (row.across + _GAP), f"{shown.title}: {shown.caption}"
            self.image(picture, x=left, y=top, w=row.width, alt_text=self._shown(said))
            self.set_xy(left, top + row.height + 1)
            self._write(said, size=8, height=4, width=row.across)
            below = max(below, self.get_y())
        self.set_y(below + 1)

    def _write_facts(self, facts: Facts) -> None:
        self.set_draw_color(*_RULE)
        for name, value in facts:
            names = _NAME_WIDTH - _GAP
            lines = max(self._lines(name, names), self._lines(value, self.epw - _NAME_WIDTH))
            self._keep_together(min(lines, 20) * _LINE)
            top, page = self.get_y(), self.page
            self._write(name, size=_FACT_SIZE, width=names, color=_PALE)
            below = self.get_y()
            self.set_xy(self.l_margin + _NAME_WIDTH, top)
            self._write(value, size=_FACT_SIZE, width=self.epw - _NAME_WIDTH)
            if self.page == page:
                self.set_y(max(below, self.get_y()))
            self.line(self.l_margin, self.get_y(), self.w - self.r_margin, self.get_y())

    def _keep_together(self, height: float) -> None:
        if self.will_page_break(height):
            self.add_page()

    def _lines(self, text: str, width: float) -> int:
        self.set_font(_FAMILY, size=_FACT_SIZE)
        lines = self.multi_cell(width, _LINE, self._shown(text), dry_run=True, output="LINES", align="L")
        return len(lines) if isinstance(lines, list) else 1

    def _write(
        self,
        text: str,
        *,
        size: float = 10,
        height: float = _LINE,
        width: float = 0,
        color: tuple[int, int, int] = _INK,
        framed: bool = False,
    ) -> None:
        self.set_font(_FAMILY, size=size)
        self.set_text_color(*color)
        self.multi_cell(
            width,
            height,
            self._shown(text),
            align="L",
            border=1 if framed else 0,
            padding=2 if framed else 0,
            new_x=XPos.LMARGIN,
            new_y=YPos.NEXT,
        )

    def _shown(self, text: str) -> str:
        """What the font has no sign for is named by its number, rather than drawn as an empty box."""
        return "".join(sign if ord(sign) in self._signs else f"[U+{ord(sign):04X}]" for sign in text)
