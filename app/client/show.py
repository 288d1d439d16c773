"""How answers show themselves in a notebook: plain HTML, with names escaped and pictures within."""

import base64
from collections.abc import Iterable, Mapping
from html import escape

_HEIGHT = 240


def table_html(caption: str, rows: Iterable[str]) -> str:
    """A table of rows as `row_html` makes them."""
    return f"<table><caption>{escape(caption)}</caption>{''.join(rows)}</table>"


def row_html(*cells: str, pictures: Mapping[str, bytes] | None = None) -> str:
    """A row of texts, each of one line or more, then of PNG pictures by name."""
    words = [escape(cell).replace("\n", "<br>") for cell in cells]
    shown = [_image_html(name, png) for name, png in (pictures or {}).items()]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in (*words, *shown))}</tr>"


def _image_html(name: str, png: bytes) -> str:
    data = base64.b64encode(png).decode("ascii")
    style = f"height:{_HEIGHT}px;image-rendering:pixelated"
    return f'<img alt="{escape(name)}" style="{style}" src="data:image/png;base64,{data}">'
