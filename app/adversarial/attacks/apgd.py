"""APGD (Croce & Hein 2020, "Reliable evaluation of adversarial robustness"): a gradient attack without a step to tune.

The step starts at twice the radius, and is halved, going back to the best image so far, where progress has stalled.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from app.adversarial.attacks.ball import answers_right, into_ball, random_in_ball, unit
from app.adversarial.attacks.objectives import Objective
from app.adversarial.loop import Network
from app.adversarial.sizes import per_row

STEPS = 100  # of the paper

_INERTIA = 0.25  # share of the last move that is kept
_GAINING = 0.75  # share of a period's steps that must gain, or the step is halved


@dataclass
class _Climb:
    """Rows still standing; every tensor has one entry a row.

    Attributes:
        row: int64, place in the whole batch.
        at, before, slope: the image now, the one before it, and the objective's gradient at `at`.
        best, best_slope, best_gain: where the objective was largest, its gradient there, its value.
        gain: the objective at `at`.
        step: L2 size of the next step.
        gains: steps of this period that gained over the step before.
        checked_gain: `best_gain` at the last check.
        halved: whether the step was halved at the last check.
    """

    row: Tensor
    at: Tensor
    before: Tensor
    slope: Tensor
    best: Tensor
    best_slope: Tensor
    best_gain: Tensor
    gain: Tensor
    step: Tensor
    gains: Tensor
    checked_gain: Tensor
    halved: Tensor

    def __getitem__(self, keep: Tensor) -> "_Climb":
        return _Climb(**{field.name: getattr(self, field.name)[keep] for field in fields(self)})


def apgd(
    network: Network,
    images: Tensor,
    label: Tensor,
    radius_l2: float,
    objective: Objective,
    *,
    random: torch.Generator,
    steps: int = STEPS,
) -> Tensor:
    """Images within `radius_l2` that are not classified as `label`, the clean ones where none was found.

    Args:
        network: from images to logits, in evaluation mode.
        images: (batch, channels, height, width) in [0, 1].
        label: int64 (batch,).
        radius_l2: of the ball; starts are drawn on its surface.
        objective: what is climbed, by row of `images`.
        random: of the starts, on the CPU.
        steps: gradient steps after the first look.
    """
    found = images.clone()
    start = random_in_ball(images, radius_l2, random)
    row = torch.arange(len(images), device=images.device)
    logits, gain, slope = _look(network, start, row, objective)
    step = torch.full_like(gain, 2 * radius_l2)
    none, no = torch.zeros_like(gain), torch.zeros_like(gain, dtype=torch.bool)
    climb = _Climb(row, start, start, slope, start, slope, gain, gain, step, none, gain, ~no)
    climb = _leave_fooled(climb, logits, label, found)
    checks = _periods(steps)
    for made in range(1, steps + 1):
        if not len(climb.row):
            break
        _move(climb, images[climb.row], radius_l2, first=made == 1)
        logits, gain, slope = _look(network, climb.at, climb.row, objective)
        _note(climb, gain, slope)
        climb = _leave_fooled(climb, logits, label, found)
        if made in checks:
            _check(climb, checks[made])
    return found


def _periods(steps: int) -> dict[int, int]:
    """Steps after which progress is checked, with the length of the period that each ends."""
    length, shorter, shortest = (max(int(share * steps), 1) for share in (0.22, 0.03, 0.06))
    periods, end = {}, length
    while end <= steps:
        periods[end] = length
        length = max(length - shorter, shortest)
        end += length
    return periods


def _look(network: Network, images: Tensor, row: Tensor, objective: Objective) -> tuple[Tensor, Tensor, Tensor]:
    with torch.enable_grad():
        leaf = images.detach().requires_grad_()
        logits = network(leaf)
        gain = objective(logits, row)
        (slope,) = torch.autograd.grad(gain.sum(), leaf)
    return logits.detach(), gain.detach(), slope


def _leave_fooled(climb: _Climb, logits: Tensor, label: Tensor, found: Tensor) -> _Climb:
    standing = answers_right(logits, label[climb.row])
    if standing.all():
        return climb
    found[climb.row[~standing]] = climb.at[~standing]
    return climb[standing]


def _move(climb: _Climb, images: Tensor, radius_l2: float, *, first: bool) -> None:
    stepped = into_ball(climb.at + unit(climb.slope) * per_row(climb.step, climb.at), images, radius_l2)
    if not first:
        stepped = climb.at + (1 - _INERTIA) * (stepped - climb.at) + _INERTIA * (climb.at - climb.before)
        stepped = into_ball(stepped, images, radius_l2)
    climb.before, climb.at = climb.at, stepped


def _note(climb: _Climb, gain: Tensor, slope: Tensor) -> None:
    climb.gains = climb.gains + (gain > climb.gain)
    climb.gain, climb.slope = gain, slope
    better = gain > climb.best_gain
    climb.best = torch.where(per_row(better, climb.at), climb.at, climb.best)
    climb.best_slope = torch.where(per_row(better, slope), slope, climb.best_slope)
    climb.best_gain = torch.where(better, gain, climb.best_gain)


def _check(climb: _Climb, period: int) -> None:
    stuck = ~climb.halved & (climb.best_gain <= climb.checked_gain)
    halve = (climb.gains <= _GAINING * period) | stuck
    climb.step = torch.where(halve, climb.step / 2, climb.step)
    climb.at = torch.where(per_row(halve, climb.at), climb.best, climb.at)
    climb.slope = torch.where(per_row(halve, climb.slope), climb.best_slope, climb.slope)
    climb.halved, climb.checked_gain, climb.gains = halve, climb.best_gain, torch.zeros_like(climb.gains)
