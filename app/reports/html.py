"""A report as one HTML file that needs nothing else: pictures and style are in it, and there is no script."""

import base64
from collections.abc import Iterator
from html import escape

from app.reports.content import Part, Report, Shown, time_in_words

_STYLE = """
:root { color-scheme: light; }
body { margin: 2rem auto; padding: 0 1rem; max-width: 60rem; color: #1c1c1c; background: #fff;
  font: 1rem/1.5 "DejaVu Sans", Verdana, Arial, sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; overflow-wrap: anywhere; }
.notice { border: 2px solid #8a4b00; background: #fff6e8; padding: .5rem 1rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; align-items: flex-start; }
figure { margin: 0; width: 18rem; max-width: 100%; }
figure.wide { width: 100%; }
img { width: 100%; height: auto; display: block; }
figcaption { font-size: .85rem; }
table { border-collapse: collapse; margin-top: 1rem; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ddd;
  overflow-wrap: anywhere; }
th { font-weight: normal; color: #555; width: 18rem; }
@media print { body { margin: 0; } figure, tr { break-inside: avoid; } h2 { break-after: avoid; } }
"""


def write_html(report: Report) -> bytes:
    """The file. Everything that a client or a model chose is escaped."""
    return "".join(_lines(report)).encode()


def _lines(report: Report) -> Iterator[str]:
    title = escape(report.title)
    yield f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
    yield f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    yield f"<p>Explanation {escape(report.id)}, made at {time_in_words(report.created)}</p>\n"
    yield f'<p class="notice" role="note">{escape(report.notice)}</p>\n'
    for part in report.parts:
        yield from _part(part)
    yield "</main>\n</body>\n</html>\n"


def _part(part: Part) -> Iterator[str]:
    yield f"<section>\n<h2>{escape(part.heading)}</h2>\n"
    for paragraph in part.paragraphs:
        yield f"<p>{escape(paragraph)}</p>\n"
    if part.pictures:
        yield f'<div class="pictures">\n{"".join(map(_figure, part.pictures))}</div>\n'
    if part.facts:
        rows = (f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>\n' for name, value in part.facts)
        yield f"<table>\n{''.join(rows)}</table>\n"
    yield "</section>\n"


def _figure(shown: Shown) -> str:
    title, caption = escape(shown.title), escape(shown.caption)
    data = base64.b64encode(shown.png).decode("ascii")
    wide = ' class="wide"' if shown.wide else ""
    return (
        f'<figure{wide}><img alt="{title}: {caption}" src="data:image/png;base64,{data}">'
        f"<figcaption><strong>{title}</strong>: {caption}</figcaption></figure>\n"
    )
