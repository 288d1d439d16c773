"""The one loop. Explaining, attacking and adversarial training differ only in the stop rule they hand in.

Source: Woods, Chen, Teuscher 2019 (arXiv 1906.02896) and the authors' public code. Per row, for t = 0 .. T - 1:

    g      = gradient of the drive over d, at x + d
    follow = stop rule
    u      = +g (discourage) or -g (encourage) where follow, else -d
    u      = u / (1e-8 + RMS(u));   with momentum, m = momentum * m + (1 - momentum) * u and u = m
    d      = d + u * size * overshoot * (T - t) / (T * (T + 1) / 2)

No random start, no projection and no clamp to [0, 1]: the size reached is near the size asked for, not equal to it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from app.adversarial.drives import Drive, cross_entropy
from app.adversarial.rows import Rows
from app.adversarial.sizes import per_row, rms
from app.adversarial.stop_rules import StopRule
from app.errors import NotFinite

Network = Callable[[Tensor], Tensor]
"""Images (batch, channels, height, width) in [0, 1] to logits (batch, classes); in evaluation mode."""


@runtime_checkable
class DifferentiatedNetwork(Protocol):
    """A network that gives its own gradient, having been compiled: the loops take it wherever they take a network."""

    def __call__(self, images: Tensor, /) -> Tensor:
        """Logits, as of any network."""

    def logits_and_gradient(self, images: Tensor, label: Tensor, drive: Drive) -> tuple[Tensor, Tensor]:
        """Logits, and the gradient over the images of each row's drive."""


Observer = Callable[[int, Tensor, Tensor, Tensor], None]
"""Called at each step with (step, index (n,) of the running rows, their perturbations, bool (n,): following).

Rows that met NaN or infinity are not among them."""

_TINY_RMS = 1e-8  # keeps a row without gradient from dividing by zero


@dataclass(frozen=True)
class LoopResult:
    """What the loop ended with.

    Attributes:
        perturbation: (batch, channels, height, width), the last d of each row; finite always.
        non_finite_step: int64 (batch,), the step at which a row met NaN or infinity and was stopped, else -1.
    """

    perturbation: Tensor
    non_finite_step: Tensor


def logits_and_gradient(network: Network, images: Tensor, label: Tensor, drive: Drive) -> tuple[Tensor, Tensor]:
    """Logits, and the drive's gradient over the images: one forward and one backward pass, no gradient for weights."""
    if isinstance(network, DifferentiatedNetwork):
        return network.logits_and_gradient(images, label, drive)
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        logits = network(leaf)
        (gradient,) = torch.autograd.grad(drive(logits, label).sum(), leaf)
    return logits.detach(), gradient


def advance(
    step: Tensor, perturbation: Tensor, velocity: Tensor, gradient: Tensor, follow: Tensor, rows: Rows
) -> tuple[Tensor, Tensor]:
    """One update of the loop for rows that may each be at a step of their own.

    Args:
        step: int64 (batch,), t of each row.
        perturbation, velocity, gradient: d, m and g, each (batch, channels, height, width).
        follow: bool (batch,), what the stop rule said.
        rows: options of each row.

    Returns:
        The new perturbation and velocity.
    """
    uphill = torch.where(per_row(rows.encourage, gradient), -gradient, gradient)
    direction = torch.where(per_row(follow, gradient), uphill, -perturbation)
    direction = direction / per_row(_TINY_RMS + rms(direction), direction)
    momentum = per_row(rows.momentum, direction)
    velocity = momentum * velocity + (1 - momentum) * direction  # without momentum this is the direction itself
    count = rows.steps.to(perturbation.dtype)
    share = (count - step) / (count * (count + 1) / 2)
    return perturbation + velocity * per_row(rows.size_rms * rows.overshoot * share, velocity), velocity


def perturb(
    network: Network,
    images: Tensor,
    rows: Rows,
    follow_rule: StopRule,
    *,
    drive: Drive = cross_entropy,
    start: Tensor | None = None,
    observe: Observer | None = None,
) -> LoopResult:
    """Run the loop until every row has made its steps.

    A row's result does not depend on its neighbours: it leaves the batch when its steps are done, and a row whose
    logits or gradient are not finite is stopped where it was, alone.

    Args:
        network: any differentiable module from images to logits, in evaluation mode.
        images: (batch, channels, height, width) in [0, 1].
        rows: options, one for each image.
        follow_rule: where the gradient is followed; elsewhere the perturbation shrinks.
        drive: what is climbed.
        start: the first d, shaped as the images; zero where it is not given, as in the paper.
        observe: sees every perturbation before its step is made.
    """
    perturbation = torch.zeros_like(images) if start is None else start.clone()
    velocity = torch.zeros_like(images)
    non_finite_step = torch.full_like(rows.label, -1)
    longest = int(rows.steps.max()) if len(rows) else 0
    for step in range(longest):
        running = ((rows.steps > step) & (non_finite_step < 0)).nonzero()[:, 0]
        if not len(running):
            break
        mine = rows[running]
        at = perturbation[running]
        logits, gradient = logits_and_gradient(network, images[running] + at, mine.label, drive)
        finite = rms(gradient).isfinite() & logits.isfinite().all(1)  # a size that overflows would stop the row unseen
        non_finite_step[running[~finite]] = step
        follow = follow_rule(logits, at, mine)
        if observe is not None:
            observe(step, running[finite], at[finite], follow[finite])
        moved, kept_velocity = advance(torch.full_like(mine.label, step), at, velocity[running], gradient, follow, mine)
        perturbation[running] = torch.where(per_row(finite, at), moved, at)
        velocity[running] = kept_velocity
    return LoopResult(perturbation, non_finite_step)


def look_at_end(network: Network, images: Tensor, rows: Rows, looped: LoopResult) -> tuple[Tensor, Tensor]:
    """Logits (batch, classes) at image + d, which the loop itself never saw, without any gradient.

    Also returns `non_finite_step` again, int64 (batch,), with T for the rows that met NaN or infinity only here.
    """
    with torch.no_grad():
        logits = network(images + looped.perturbation)
    broke_here = ~logits.isfinite().all(1) & (looped.non_finite_step < 0)
    return logits, torch.where(broke_here, rows.steps, looped.non_finite_step)


def require_finite(non_finite_step: Tensor) -> None:
    """Raise `NotFinite`, naming the first bad row and its step, if any row was stopped."""
    bad = (non_finite_step >= 0).nonzero()[:, 0]
    if len(bad):
        row, step = int(bad[0]), int(non_finite_step[bad[0]])
        raise NotFinite(
            f"The network gave a number that is not finite for row {row} at step {step}"
            f" ({len(bad)} of {len(non_finite_step)} rows); its weights or this image are at fault."
        )
