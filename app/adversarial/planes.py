"""The nearest points of planes within [0, 1]: where a network that is taken for linear changes its answer."""

import torch
from torch import Tensor

from app.adversarial.sizes import per_row

_REFINEMENTS = 20
_SWEEPS = 12
_TINY = 1e-30
_TOLERANCE = 1e-6  # of the level, which is rounding in float32


def product(first: Tensor, second: Tensor) -> Tensor:
    """Inner product of each row; two (batch, ...) to (batch,)."""
    return (first * second).flatten(1).sum(1)


def onto_plane(points: Tensor, normal: Tensor, level: Tensor) -> Tensor:
    """The nearest points of [0, 1] with <normal, point> = level, or as near to that as [0, 1] allows.

    They are clamp(point + m * normal) for the multiple m that meets the level. The product grows with m, ever slower as
    more pixels are clamped, so Newton's method meets it from below, in few steps.

    Args:
        points, normal: (batch, ...), points in [0, 1].
        level: (batch,).
    """
    sign = torch.where(level < product(normal, points), -1.0, 1.0).to(points.dtype)
    uphill, goal = normal * per_row(sign, normal), level * sign
    multiple = torch.zeros_like(goal)
    for _ in range(_REFINEMENTS):
        moved = points + uphill * per_row(multiple, points)
        missing = goal - product(uphill, moved.clamp(0, 1))
        free = torch.where(uphill > 0, moved < 1, moved > 0)
        slope = (uphill.square() * free).flatten(1).sum(1)
        short = (missing > _TOLERANCE * goal.abs()) & (slope > 0)
        if not short.any():
            break
        multiple = multiple + torch.where(short, missing / slope, 0)
    return (points + uphill * per_row(multiple, points)).clamp(0, 1)


def into_half_spaces(points: Tensor, normals: Tensor, levels: Tensor) -> Tensor:
    """The nearest points of [0, 1] with <normal, point> >= level for several normals at once, or nearly so.

    They are clamp(points + sum of m * normal) for multiples m >= 0, which are refined in turn.

    Args:
        points: (batch, ...), in [0, 1].
        normals: (batch, spaces, ...); zero where there is no such space, with a level of 0.
        levels: (batch, spaces).
    """
    multiples = torch.zeros_like(levels)
    moved = points
    for _ in range(_SWEEPS):
        for space, normal in enumerate(normals.unbind(1)):
            missing = levels[:, space] - product(normal, moved.clamp(0, 1))
            up = (normal > 0) == per_row(missing > 0, normal)
            free = torch.where(up, (moved >= 0) & (moved < 1), (moved > 0) & (moved <= 1))
            slope = (normal.square() * free).flatten(1).sum(1)
            more = torch.where(slope > 0, missing / slope.clamp(min=_TINY), 0)
            more = torch.maximum(more, -multiples[:, space])
            multiples[:, space] += more
            moved = moved + normal * per_row(more, normal)
    return moved.clamp(0, 1)
