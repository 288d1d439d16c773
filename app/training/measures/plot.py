"""Accuracy against the size of the attack, and against robustness."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError
from app.images.plot import COLORS, plot_png
from app.training.measures.areas import SmallestChanges, worst_found
from app.training.measures.estimates import Estimate
from app.training.measures.fixed_sizes import RobustAccuracy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HEADROOM = 1.15  # of the axis beyond the last size of interest


@dataclass(frozen=True)
class Curve:
    """One network to draw: its name, its smallest changes, and its accuracy at fixed sizes."""

    name: str
    changes: SmallestChanges
    robust_accuracy: Sequence[RobustAccuracy] = ()


def staircase(sizes: Tensor, tried: Tensor) -> tuple[Tensor, Tensor]:
    """Corners of acc(r): sizes growing from 0, and the share of images whose smallest change is larger than each.

    An image never flipped (infinite) stands to the size tried on it.
    """
    edges = torch.where(sizes.isinf(), tried, sizes).double().sort().values
    edges = edges[edges > 0]  # those at 0 were misclassified from the start, and stand nowhere
    standing = torch.arange(len(edges), -1, -1, dtype=torch.float64) / len(sizes)
    return torch.cat([edges.new_zeros(1), edges]), standing


def draw_accuracy(file: Path, curves: Sequence[Curve], *, classes: int, per_rms: float) -> None:
    """Write a PNG of accuracy against RMS (below) and L2 (above).

    Args:
        file: to be written.
        curves: the first one's area, between its worst case and chance, is shaded.
        classes: chance is 1 / classes.
        per_rms: L2 of an RMS of 1.

    Raises:
        DataError: the file cannot be written.
    """
    _write(file, lambda axes: _draw_accuracy(axes, curves, classes, per_rms))


def _draw_accuracy(axes: "Axes", curves: Sequence[Curve], classes: int, per_rms: float) -> None:
    for curve, color in zip(curves, COLORS, strict=False):
        _draw_curve(axes, curve, color, chance=1 / classes, shaded=curve is curves[0])
    axes.axhline(1 / classes, color="0.5", linewidth=0.8, linestyle=":", label=f"chance, 1/{classes}")
    axes.set(xlim=(0, _last_size(curves)), ylim=(0, 1), xlabel="size of the change, RMS of [0, 1]", ylabel="accuracy")
    above = axes.secondary_xaxis(
        "top", functions=(lambda rms: np.multiply(rms, per_rms), lambda l2: np.divide(l2, per_rms))
    )
    above.set_xlabel("L2")
    axes.legend(fontsize="small", frameon=False)


@dataclass(frozen=True)
class TradeOff:
    """What one network gives, and what it costs: accuracy on clean images, and worst-case ARA."""

    name: str
    accuracy: Estimate
    worst_case_ara: Estimate


def draw_trade_off(file: Path, networks: Sequence[TradeOff]) -> None:
    """Write a PNG of accuracy against worst-case ARA, one point with its intervals for each network.

    Raises:
        DataError: the file cannot be written.
    """
    _write(file, lambda axes: _draw_trade_off(axes, networks))


def _draw_trade_off(axes: "Axes", networks: Sequence[TradeOff]) -> None:
    for one in networks:
        x, y = one.worst_case_ara, one.accuracy
        reach = ([[x.value - x.low], [x.high - x.value]], [[y.value - y.low], [y.high - y.value]])
        axes.errorbar([x.value], [y.value], xerr=reach[0], yerr=reach[1], fmt="o", capsize=3, color=COLORS[0])
        axes.annotate(one.name, (x.value, y.value), xytext=(6, 6), textcoords="offset points", fontsize="small")
    axes.set(xlabel="worst-case ARA, RMS of [0, 1]", ylabel="accuracy on clean images")
    axes.set_xlim(left=0)
    axes.margins(x=0.2)
    axes.grid(alpha=0.3)


def training_curve(held_out: Sequence[tuple[float, Mapping[str, float]]]) -> bytes:
    """PNG of what was measured on held-out images, by hours of training.

    Args:
        held_out: (seconds of training, scores by name), in the order of time; each score is drawn as a line.
    """
    return plot_png(lambda axes: _draw_training(axes, held_out))


def _draw_training(axes: "Axes", held_out: Sequence[tuple[float, Mapping[str, float]]]) -> None:
    hours = [seconds / 3600 for seconds, _ in held_out]
    for name, color in zip(held_out[-1][1] if held_out else (), COLORS, strict=False):
        shares = [scores[name] for _, scores in held_out]
        axes.plot(hours, shares, marker="o", color=color, label=name.replace("_", " "))
    axes.set(xlabel="hours of training", ylabel="share of held-out images", ylim=(0, 1))
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small", frameon=False)


def _write(file: Path, draw: Callable[["Axes"], None]) -> None:
    try:
        file.write_bytes(plot_png(draw))
    except OSError as error:
        raise DataError(f"{file} cannot be written: {error.strerror}.") from error


def _draw_curve(axes: "Axes", curve: Curve, color: str, *, chance: float, shaded: bool) -> None:
    found = curve.changes
    sizes, accuracy = staircase(*worst_found(found))
    axes.step(sizes, accuracy, where="post", color=color, label=f"{curve.name}, worst case")
    if shaded:
        above = accuracy.clamp(min=chance)
        axes.fill_between(sizes, chance, above, step="post", color=color, alpha=0.2, linewidth=0)
    sizes, accuracy = staircase(found.attack_rms, found.attack_tried_rms)
    axes.step(
        sizes, accuracy, where="post", color=color, linestyle="--", linewidth=1, label=f"{curve.name}, paper's attack"
    )
    if curve.robust_accuracy:
        at = [point.rms for point in curve.robust_accuracy]
        standing = [point.standing for point in curve.robust_accuracy]
        reach = [[s.value - s.low for s in standing], [s.high - s.value for s in standing]]
        axes.errorbar(
            at, [s.value for s in standing], reach, fmt="o", color=color, capsize=3, label=f"{curve.name}, four attacks"
        )


def _last_size(curves: Sequence[Curve]) -> float:
    sizes = [point.rms for curve in curves for point in curve.robust_accuracy]
    for curve in curves:
        found = curve.changes.attack_rms[curve.changes.attack_rms.isfinite()]
        sizes += [float(found.quantile(0.98))] if len(found) else []
    return max([*sizes, 1e-3]) * _HEADROOM
