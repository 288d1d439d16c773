"""How answers show themselves in a notebook: plain HTML, with names escaped and pictures within."""

import base64
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.client.answers import Explained, Explanation, Picture, Prediction

_SHOWN = ("heatmap", "explained")
_HEIGHT = 240


def prediction_html(prediction: "Prediction") -> str:
    """A table of the classes."""
    rows = "".join(f"<tr><td>{escape(one.name)}</td><td>{one.probability:.3f}</td></tr>" for one in prediction.top)
    return f"<table><caption>{escape(prediction.model)}</caption>{rows}</table>"


def explanation_html(explanation: "Explanation") -> str:
    """What it was read as, then a row for each target: its numbers and pictures."""
    best = explanation.prediction.best
    rows = "".join(map(_row, explanation.targets))
    caption = f"{escape(explanation.prediction.model)} reads {escape(best.name)} ({best.probability:.3f})"
    return f"<table><caption>{caption}</caption>{rows}</table>"


def _row(one: "Explained") -> str:
    more = "more" if one.direction == "encourage" else "less"
    words = (
        f"{more} {escape(one.target)}: {one.probability_before:.3f} to {one.probability_after:.3f}<br>"
        f"RMS {one.perturbation_rms:.4f}<br>{_read_as(one)}"
    )
    shown = "".join(f"<td>{_image(name, one.pictures[name])}</td>" for name in _SHOWN if name in one.pictures)
    return f"<tr><td>{words}</td>{shown}</tr>"


def _read_as(one: "Explained") -> str:
    return "read as before" if one.changed_class_to is None else f"then read as {escape(one.changed_class_to)}"


def _image(name: str, picture: "Picture") -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    style = f"height:{_HEIGHT}px;image-rendering:pixelated"
    return f'<img alt="{escape(name)}" style="{style}" src="data:image/png;base64,{data}">'
