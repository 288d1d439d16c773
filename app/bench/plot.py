"""The benchmark as a picture: each ratio that was to be reached beside its goal, and how the cost of a row grows."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from app.bench.lines import Findings, Line
from app.images.plot import COLORS, plot_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REACHED, _MISSED = COLORS[2], COLORS[1]


def draw_benchmark(title: str, found: Mapping[str, Findings]) -> bytes:
    """A PNG, whose first panel has the title."""
    lines = [line for findings in found.values() for line in findings.lines if line.goal is not None]
    growth = cast(Mapping[str, Any], found["growth"].measured) if "growth" in found else {}
    curves = [partial(_draw_growth, name=name, curve=curve) for name, curve in growth.items() if len(curve) > 1]
    return plot_png(partial(_draw_goals, lines=lines, title=title), *curves, width=6.5 + 4 * len(curves))


def _draw_goals(axes: "Axes", lines: Sequence[Line], title: str) -> None:
    """1 is what was to be reached; further right is better."""
    names = [f"{line.what} ({line.peer})\n{line.ratio:.2f}, to reach {line.goal}" for line in lines]
    shares = [_share_of_goal(line) for line in lines]
    axes.barh(names, shares, color=[_REACHED if line.reached else _MISSED for line in lines])
    axes.axvline(1, color="0.3", linewidth=0.8)
    axes.invert_yaxis()
    axes.tick_params(axis="y", labelsize="x-small")
    axes.set_xlabel("share of what was to be reached")
    axes.set_title(title, fontsize="small")


def _share_of_goal(line: Line) -> float:
    if line.goal is None:
        return 0.0
    return line.ratio / line.goal.limit if line.goal.at_least else line.goal.limit / line.ratio


def _draw_growth(axes: "Axes", name: str, curve: Mapping[int, float]) -> None:
    unit, _, by = name.rpartition("_by_")
    axes.plot(list(curve), list(curve.values()), marker="o", color=COLORS[0])
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(curve), [str(size) for size in curve])
    axes.set(xlabel={"rows": "rows of a step", "side": "side of the image, pixels"}[by], ylabel=unit.replace("_", " "))
    axes.set_ylim(0, 1.1 * max(curve.values()))
    axes.grid(alpha=0.3)
