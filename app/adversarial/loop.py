"""The one loop. Explaining, attacking and adversarial training differ only in the stop rule they hand in.

Source: Woods, Chen, Teuscher 2019 (arXiv 1906.02896) and the authors' public code. Per row, for t = 0 .. T - 1:

    g      = gradient of the drive over d, at x + d
    follow = stop rule
    u      = +g (discourage) or -g (encourage) where follow, else -d
    u      = u / (1e-8 + RMS(u));   with momentum, m = momentum * m + (1 - momentum) * u and u = m
    d      = d + u * size * overshoot * (T - t) / (T * (T + 1) / 2)

No random start, no projection and no clamp to [0, 1]: the size reached is near the size asked for, not equal to it.

Rows that are `projected` differ in one line, which is ours: after each step d = d * size / RMS(d). They can then afford
steps larger than the size itself, and so need fewer; and once a step would hardly move them, they are done.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.adversarial.aims import drive as drive_of
from app.adversarial.batched import Batched
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


@runtime_checkable
class AimedNetwork(Protocol):
    """A network that gives the gradient of what each row aims at, having been compiled."""

    def __call__(self, images: Tensor, /) -> Tensor:
        """Logits, as of any network."""

    def aimed_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        """Logits, and the gradient over the images of what each row climbs."""


Observer = Callable[[int, Tensor, Tensor, Tensor], None]
"""Called at each step with (step, index (n,) of the running rows, their perturbations, bool (n,): following).

Rows that met NaN or infinity are not among them."""

_TINY_RMS = 1e-8  # keeps a row without gradient from dividing by zero

RESTING_MOVE = 0.05  # of its size: a projected row that a step would move by less is done; nobody sees the difference


@dataclass(frozen=True)
class LoopState(Batched):
    """How far each row is; rows of one batch may each be at a step of their own.

    Attributes:
        step: int64 (batch,), t.
        perturbation, velocity: (batch, channels, height, width), d and m.
    """

    step: Tensor
    perturbation: Tensor
    velocity: Tensor

    @classmethod
    def at_start(cls, images: Tensor) -> "LoopState":
        """Before the first step: no change, no velocity."""
        step = torch.zeros(len(images), dtype=torch.int64, device=images.device)
        return cls(step, torch.zeros_like(images), torch.zeros_like(images))


@dataclass(frozen=True)
class Seen:
    """What a step saw before it moved.

    Attributes:
        logits: (batch, classes), at x + d.
        follow, finite: bool (batch,), following the gradient; all numbers finite.
        resting: bool (batch,), projected rows that are as good as where the step would take them, and stay.
    """

    logits: Tensor
    follow: Tensor
    finite: Tensor
    resting: Tensor


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


def aimed_gradient(network: Network, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
    """The same for rows that each climb something else."""
    if isinstance(network, AimedNetwork):
        return network.aimed_gradient(images, aims)
    return logits_and_gradient(network, images, aims.label, lambda logits, _: drive_of(logits, aims))


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
    moved = perturbation + velocity * per_row(rows.size_rms * rows.overshoot * share, velocity)
    on_sphere = moved * per_row(rows.size_rms / (_TINY_RMS + rms(moved)), moved)
    return torch.where(per_row(rows.projected, moved), on_sphere, moved), velocity


def make_step(
    differentiate: Callable[[Tensor, Rows], tuple[Tensor, Tensor]],
    images: Tensor,
    state: LoopState,
    rows: Rows,
    follow_rule: StopRule,
) -> tuple[LoopState, Seen]:
    """One step of the loop, for whoever runs it: look, ask the stop rule, advance.

    Rows that are not finite, and rows that rest, stay where they are.

    Args:
        differentiate: from images + d and rows to logits, and the gradient over the images of what each row climbs.
        images: (batch, channels, height, width) in [0, 1].
        state: where each row is.
        rows: options of each row.
        follow_rule: where the gradient is followed.
    """
    at = state.perturbation
    logits, gradient = differentiate(images + at, rows)
    finite = rms(gradient).isfinite() & logits.isfinite().all(1)  # a size that overflows would stop the row unseen
    follow = follow_rule(logits, at, rows)
    moved, velocity = advance(state.step, at, state.velocity, gradient, follow, rows)
    resting = rows.projected & (rms(moved - at) < RESTING_MOVE * rows.size_rms)
    moved = torch.where(per_row(finite & ~resting, at), moved, at)
    return LoopState(state.step + 1, moved, velocity), Seen(logits, follow, finite, resting)


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

    A row's result does not depend on its neighbours: it leaves the batch when its steps are done or it rests, and a row
    whose logits or gradient are not finite is stopped where it was, alone.

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
    resting = torch.zeros_like(rows.encourage)
    longest = int(rows.steps.max()) if len(rows) else 0

    def differentiate(shown: Tensor, mine: Rows) -> tuple[Tensor, Tensor]:
        return logits_and_gradient(network, shown, mine.label, drive)

    for step in range(longest):
        running = ((rows.steps > step) & (non_finite_step < 0) & ~resting).nonzero()[:, 0]
        if not len(running):
            break
        mine = rows[running]
        state = LoopState(torch.full_like(mine.label, step), perturbation[running], velocity[running])
        moved, seen = make_step(differentiate, images[running], state, mine, follow_rule)
        finite = seen.finite
        non_finite_step[running[~finite]] = step
        resting[running] = seen.resting
        if observe is not None:
            observe(step, running[finite], state.perturbation[finite], seen.follow[finite])
        perturbation[running] = moved.perturbation
        velocity[running] = moved.velocity
    return LoopResult(perturbation, non_finite_step)


def look_at_end(network: Network, images: Tensor, rows: Rows, looped: LoopResult) -> tuple[Tensor, Tensor]:
    """Logits (batch, classes) at image + d, which the loop itself never saw, without any gradient.

    Also returns `non_finite_step` again, as `non_finite_at_end` completes it.
    """
    with torch.no_grad():
        logits = network(images + looped.perturbation)
    return logits, non_finite_at_end(logits, rows, looped)


def non_finite_at_end(logits: Tensor, rows: Rows, looped: LoopResult) -> Tensor:
    """`non_finite_step`, int64 (batch,), with T for the rows that met NaN or infinity only in the look at the end."""
    broke_here = ~logits.isfinite().all(1) & (looped.non_finite_step < 0)
    return torch.where(broke_here, rows.steps, looped.non_finite_step)


def require_finite(non_finite_step: Tensor) -> None:
    """Raise `NotFinite`, naming the first bad row and its step, if any row was stopped."""
    bad = (non_finite_step >= 0).nonzero()[:, 0]
    if len(bad):
        row, step = int(bad[0]), int(non_finite_step[bad[0]])
        raise NotFinite(
            f"The network gave a number that is not finite for row {row} at step {step}"
            f" ({len(bad)} of {len(non_finite_step)} rows); its weights or this image are at fault."
        )
