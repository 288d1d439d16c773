"""What one row costs as more of them share a step, and as images grow: flat, or falling, until memory ends it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch

from app.adversarial.aims import Aims
from app.bench.lines import Findings, Goal, Line, share_of
from app.bench.plan import Plan
from app.bench.subject import Subject
from app.bench.timing import Tell, medians, side_by_side
from app.engine.steps.protocol import GradientStep
from app.errors import CheckpointError
from app.networks.checkpoint import Checkpoint, try_once

_FLAT = Goal(1.1, at_least=False)  # what is within 10% of the least before it is called flat
_PIXELS = 1000


def measure_growth(subject: Subject, plan: Plan, tell: Tell) -> Findings:
    """Milliseconds a row by the number of rows, and a thousand pixels by the side of the image, both of one step."""
    by_rows = _by_rows(subject, plan, tell)
    by_side = _by_side(subject, plan, tell)
    curves = (("a row", "rows", by_rows), (f"{_PIXELS} pixels", "pixels a side", by_side))
    lines = tuple(_line(what, of, cost) for what, of, cost in curves if len(cost) > 1)
    return Findings(lines, {"ms_per_row_by_rows": by_rows, "ms_per_1000_pixels_by_side": by_side})


def _by_rows(subject: Subject, plan: Plan, tell: Tell) -> Mapping[int, float]:
    counts = [2**power for power in range(plan.most_rows.bit_length())]
    step, device = subject.model.step, subject.device
    works = {f"{rows}": _gradients(step, subject.model.shape, rows, len(subject.classes), device) for rows in counts}
    what = "growth, rows"
    tell(what, 0, plan.repeats)
    took = medians(side_by_side(works, plan.repeats, device, lambda done: tell(what, done, plan.repeats)))
    return {rows: 1000 * took[f"{rows}"] / rows for rows in counts}


def _by_side(subject: Subject, plan: Plan, tell: Tell) -> Mapping[int, float]:
    """Of one row, by the step of a server for such images; sides that the network does not take are left out."""
    what = "growth, side"
    works, device = {}, subject.device
    tell(what, 0, len(plan.sides) + plan.repeats)
    for number, side in enumerate(plan.sides, start=1):
        larger = _for_side(subject.checkpoint, side)
        if larger is not None:
            works[f"{side}"] = _gradients(subject.make_step(larger), larger.shape, 1, len(subject.classes), device)
        tell(what, number, len(plan.sides) + plan.repeats)
    took = medians(
        side_by_side(
            works,
            plan.repeats,
            device,
            lambda done: tell(what, len(plan.sides) + done, len(plan.sides) + plan.repeats),
        )
    )
    return {int(side): 1000 * seconds / int(side) ** 2 * _PIXELS for side, seconds in took.items()}


def _for_side(checkpoint: Checkpoint, side: int) -> Checkpoint | None:
    """The same network as one for square images of that side, None where it takes none such."""
    wanted = replace(checkpoint.description.input, height=side, width=side)
    description = replace(checkpoint.description, input=wanted)
    try:
        try_once(checkpoint.network, description, checkpoint.device, checkpoint.folder)
    except CheckpointError:
        return None
    return replace(checkpoint, description=description)


def _gradients(
    step: GradientStep, shape: Sequence[int], rows: int, classes: int, device: torch.device
) -> Callable[[int], object]:
    images = torch.rand(rows, *shape, generator=torch.Generator().manual_seed(rows)).to(device)
    aims = Aims.alike(torch.arange(rows, device=device) % classes, margin=False, classes=classes)
    return lambda number: step.logits_and_gradient(images, aims)


def steepest_rise(cost: Mapping[int, float]) -> tuple[int, int]:
    """Of two sizes or more: the one that costs most beside the cheapest smaller one, and that smaller one."""
    sizes = sorted(cost)
    cheapest = [min(sizes[:place], key=cost.__getitem__) for place in range(1, len(sizes))]
    return max(zip(sizes[1:], cheapest, strict=True), key=lambda pair: cost[pair[0]] / cost[pair[1]])


def _line(what: str, of: str, cost: Mapping[int, float]) -> Line:
    worst, least = steepest_rise(cost)
    return share_of(f"cost of {what} at {worst} {of}", cost[worst], cost[least], "ms", f"at {least}", _FLAT)
