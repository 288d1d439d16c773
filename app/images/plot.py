"""Plots as the project draws them. Without pyplot, whose figures are the whole process's."""

import io
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Okabe & Ito's, apart for the colour-blind."""

_DOTS_PER_INCH = 150
_ONE_AT_A_TIME = Lock()  # matplotlib is not safe in threads


def plot_png(*draw: Callable[["Axes"], None], width: float = 7) -> bytes:
    """PNG of what each of `draw` draws on empty axes of its own, side by side, `width` inches in all."""
    with _ONE_AT_A_TIME:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 (a second, which most never need)
        from matplotlib.figure import Figure  # noqa: PLC0415 (as above)

        figure = Figure(figsize=(width, 4.5), layout="constrained")
        FigureCanvasAgg(figure)
        for place, panel in enumerate(draw, start=1):
            panel(figure.add_subplot(1, len(draw), place))
        png = io.BytesIO()
        figure.savefig(png, dpi=_DOTS_PER_INCH, format="png")
    return png.getvalue()
