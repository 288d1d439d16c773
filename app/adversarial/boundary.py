"""A walk on the surface where a goal is just met, towards the original: how a change that meets it gets smaller.

At each point the surface is taken for the plane that the gradient says. The step leads to that plane, and along it
towards the point of it that is nearest to the original. As far as Barzilai and Borwein's rule says, from how that pull
changed over the step before: where the surface bends, the whole way would be too far. A little beyond the plane, and
ever less, so that what the plane did not know of the surface leaves a point that meets the goal.

Towards a class that is named, the surface has edges, where the class that leads another one changes; often the nearest
point is on one. So a path remembers the plane of the class that led before, and keeps to the near side of both.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.adversarial.aims import Aims, drive
from app.adversarial.batched import Batched
from app.adversarial.loop import Network, aimed_gradient
from app.adversarial.planes import into_half_spaces, onto_plane, product
from app.adversarial.sizes import l2, per_row, rms

FIRST_BEYOND, LAST_BEYOND = 0.02, 0.0005  # of the change's size, that a step aims beyond the plane
_SHORTEST_STRIDE = 0.1  # of the pull; the longest is all of it
_TINY = 1e-12


@dataclass(frozen=True)
class Surface:
    """Where a goal is just met: where the drive has a certain level.

    Attributes:
        sign: 1 where the goal is met above the level, -1 where below.
        level: of the drive, by the number of classes.
        met: (logits (batch, classes), label (batch,)) to bool (batch,), by the prediction itself.
        edged: the drive is the largest of several, and which one changes.
    """

    sign: int
    level: Callable[[int], float]
    met: Callable[[Tensor, Tensor], Tensor]
    edged: bool = False


@dataclass(frozen=True)
class Paths(Batched):
    """Walks under way, each for one image; every field has one entry a path.

    Attributes:
        origin: the image, (paths, channels, height, width), in [0, 1].
        aims: what the surface is of.
        at: where the path is, in [0, 1].
        best, best_l2: the nearest point that met the goal, and its distance; the origin and infinity before there is
            one.
        farthest_l2: the largest distance at which the network answered with finite numbers.
        before, pull, stride: `at` one step ago, the pull towards the nearest point of the plane that it had there, and
            the share of it that was gone; NaN before the first step.
        rivals: int64 (paths, 2), of an edged surface the class that led one step ago, and the last other one before.
        normals, levels: (paths, 2, ...) and (paths, 2), their planes; 0 where there is none.
    """

    origin: Tensor
    aims: Aims
    at: Tensor
    best: Tensor
    best_l2: Tensor
    farthest_l2: Tensor
    before: Tensor
    pull: Tensor
    stride: Tensor
    rivals: Tensor
    normals: Tensor
    levels: Tensor

    @classmethod
    def starting(cls, origin: Tensor, aims: Aims, at: Tensor) -> "Paths":
        """Paths from `at`, before their first step."""
        none = torch.zeros_like(origin[:, 0, 0, 0])
        return cls(
            origin=origin,
            aims=aims,
            at=at,
            best=origin,
            best_l2=none + torch.inf,
            farthest_l2=none,
            before=at,
            pull=torch.full_like(at, torch.nan),
            stride=none + 1,
            rivals=torch.full_like(aims.label, -1)[:, None].expand(-1, 2),
            normals=torch.zeros_like(at)[:, None].expand(-1, 2, -1, -1, -1),
            levels=none[:, None].expand(-1, 2),
        )

    @property
    def size_l2(self) -> Tensor:
        """How promising each path is: the smallest change found, or twice the one it is at before there is one."""
        return torch.where(self.best_l2.isfinite(), self.best_l2, 2 * l2(self.at - self.origin))


def step(network: Network, paths: Paths, surface: Surface, beyond: float) -> Paths:
    """One gradient evaluation of each path and what follows of it; a path that is not finite goes half-way back.

    Args:
        network: in evaluation mode.
        paths: not empty.
        surface: of the goal.
        beyond: how far to aim past the plane, as a share of the change's size.
    """
    logits, slope = aimed_gradient(network, paths.at, paths.aims)
    finite = rms(slope).isfinite() & logits.isfinite().all(1)
    change = paths.at - paths.origin
    size = l2(change)
    nearer = finite & surface.met(logits, paths.aims.label) & (size < paths.best_l2)
    ahead = surface.sign * (drive(logits, paths.aims) - surface.level(logits.shape[1]))
    slope = torch.where(per_row(finite, slope), surface.sign * slope, 0)
    level = product(slope, paths.at) - ahead + beyond * size * l2(slope)
    if surface.edged:
        paths = _remembering(paths, logits, slope, level)
        landing, nearest = (into_half_spaces(one, paths.normals, paths.levels) for one in (paths.at, paths.origin))
    else:
        landing, nearest = (onto_plane(one, slope, level) for one in (paths.at, paths.origin))
    pull = nearest - landing
    stride = _stride(paths, pull)
    moved = (landing + per_row(stride, pull) * pull).clamp(0, 1)
    back = paths.origin + change / 2
    return replace(
        paths,
        at=torch.where(per_row(finite, moved), moved, back),
        best=torch.where(per_row(nearer, change), paths.at, paths.best),
        best_l2=torch.where(nearer, size, paths.best_l2),
        farthest_l2=torch.where(finite, torch.maximum(size, paths.farthest_l2), paths.farthest_l2),
        before=paths.at,
        pull=torch.where(per_row(finite, pull), pull, torch.nan),
        stride=torch.where(finite, stride, 1),
    )


def _remembering(paths: Paths, logits: Tensor, slope: Tensor, level: Tensor) -> Paths:
    """The paths with this plane for the one before it, or beside it where that was another class's."""
    leading = logits.masked_fill(~paths.aims.rivals, -torch.inf).argmax(1)
    other = torch.where(leading == paths.rivals[:, 0], 1, 0)  # which of the two is kept beside the new one
    row = torch.arange(len(other), device=other.device)
    return replace(
        paths,
        rivals=torch.stack([leading, paths.rivals[row, other]], 1),
        normals=torch.stack([slope, paths.normals[row, other]], 1),
        levels=torch.stack([level, paths.levels[row, other]], 1),
    )


def _stride(paths: Paths, pull: Tensor) -> Tensor:
    """The share of the pull to go: the last move's square over how much it lessened the pull along itself."""
    move = paths.at - paths.before
    lessened = product(move, paths.pull - pull)
    square = product(move, move)
    by_curve = torch.where(lessened > _TINY, square / lessened.clamp(min=_TINY), 2 * paths.stride)
    return torch.where(lessened.isfinite() & (square > _TINY), by_curve, 1.0).clamp(_SHORTEST_STRIDE, 1)
