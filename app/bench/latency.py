"""How long one explanation takes, and how far it comes, beside others' ways to search for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from app.adversarial.explain import PAPER_STEPS, fast_rows, paper_rows
from app.adversarial.rows import Rows
from app.adversarial.sizes import rms
from app.bench.lines import Findings, Goal, share_of, times_faster
from app.bench.peers import AUTHORS, Peer, installed_peers, missing_peers
from app.bench.plan import Plan
from app.bench.subject import Subject
from app.bench.timing import Tell, Work, medians, side_by_side

ROWS = 12  # the authors' shape of work
_PAPER, _FAST = "paper", "fast"
_IN_ROWS = f", {ROWS} rows"


@dataclass(frozen=True)
class _Task:
    """Images on the CPU, and the class to make each more of."""

    images: Tensor
    label: Tensor


Way = Callable[[_Task], Tensor]
"""From a task to the changed images, on the CPU."""


def measure_latency(subject: Subject, plan: Plan, tell: Tell) -> Findings:
    """One image with 2 targets by `paper` and by `fast`, and 12 rows; ours by way of the engine."""
    what = "latency"
    tell(what, 0, plan.repeats)
    seconds = side_by_side(_works(subject), plan.repeats, subject.device, lambda done: tell(what, done, plan.repeats))
    took = medians(seconds)
    found = _quality(subject)
    paper = f"one image, 2 targets, paper, {PAPER_STEPS} steps"
    lines = (
        times_faster(paper, took[_PAPER], took[AUTHORS], AUTHORS, Goal(4)),
        times_faster("one image, 2 targets, fast", took[_FAST], took[AUTHORS], AUTHORS, Goal(10)),
        share_of(
            "target cross entropy of fast, at equal RMS",
            found[_FAST]["target_cross_entropy"],
            found[AUTHORS]["target_cross_entropy"],
            "nats",
            AUTHORS,
            Goal(1.05, at_least=False),
        ),
        times_faster(
            f"{ROWS} rows, paper, {PAPER_STEPS} steps",
            took[_PAPER + _IN_ROWS],
            took[AUTHORS + _IN_ROWS],
            AUTHORS,
            Goal(2),
        ),
        *(times_faster(paper, took[_PAPER], took[peer], peer) for peer in installed_peers() if peer != AUTHORS),
    )
    return Findings(lines, {"seconds": seconds, "found": found, "not_installed": missing_peers()})


def _works(subject: Subject) -> dict[str, Work]:
    """Each round of one image takes the next picture, so that no single one decides."""
    pairs = _pairs(subject)
    images = [_Task(pairs.images[row : row + 2], pairs.label[row : row + 2]) for row in range(0, len(pairs.label), 2)]
    index = torch.arange(ROWS) % len(pairs.label)
    rows = _Task(pairs.images[index], pairs.label[index])
    ways = _ways(subject)
    works: dict[str, Work] = {name: partial(_one_of, way, images) for name, way in ways.items()}
    return works | {name + _IN_ROWS: partial(_one_of, ways[name], [rows]) for name in (_PAPER, AUTHORS)}


def _one_of(way: Way, tasks: list[_Task], number: int) -> Tensor:
    return way(tasks[number % len(tasks)])


def _ways(subject: Subject) -> dict[str, Way]:
    ours = {
        name: partial(_by_engine, subject, make_rows) for name, make_rows in ((_PAPER, paper_rows), (_FAST, fast_rows))
    }
    return {**ours, **{name: partial(_by_peer, subject, peer) for name, peer in installed_peers().items()}}


def _by_engine(subject: Subject, make_rows: Callable[..., Rows], task: _Task) -> Tensor:
    rows = make_rows(task.label, direction="encourage", rho=subject.rho)
    return task.images + subject.climb(task.images, rows).looped.perturbation


def _by_peer(subject: Subject, peer: Peer, task: _Task) -> Tensor:
    images, label = task.images.to(subject.device), task.label.to(subject.device)
    return peer(subject.network, images, label, subject.rho, PAPER_STEPS).cpu()


def _pairs(subject: Subject) -> _Task:
    """Each picture twice, for the class it is read as and for the runner-up: what a request that names none gets."""
    label = subject.likeliest(2)
    return _Task(subject.pictures.repeat_interleave(label.shape[1], 0), label.flatten())


def _quality(subject: Subject) -> dict[str, Mapping[str, float]]:
    """Mean RMS and mean cross entropy of the target that each way comes to; `fast` at the sizes of the authors' rows.

    Their loop ends near the size asked for, and ours is put back to it: only at one size can they be compared.
    """
    task = _pairs(subject)
    changed = {name: way(task) for name, way in _ways(subject).items()}
    sizes = rms(changed[AUTHORS] - task.images)
    rows = replace(fast_rows(task.label, direction="encourage"), size_rms=sizes)
    changed[_FAST] = task.images + subject.climb(task.images, rows).looped.perturbation
    return {name: _come_to(subject, task, shown) for name, shown in changed.items()}


def _come_to(subject: Subject, task: _Task, changed: Tensor) -> Mapping[str, float]:
    with torch.no_grad():
        logits = subject.network(changed.to(subject.device)).cpu()
    return {
        "perturbation_rms": float(rms(changed - task.images).mean()),
        "target_cross_entropy": float(functional.cross_entropy(logits, task.label)),
    }
