"""Networks that work in no time, and steps that count, wait or fail on purpose."""

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest
import torch
from torch import Tensor, nn

from app.adversarial.aims import Aims
from app.adversarial.loop import LoopResult, look_at_end, perturb
from app.adversarial.rows import Rows
from app.adversarial.stop_rules import StopRule, while_below_size
from app.engine.admission import Admission, Bounds, Reservation
from app.engine.jobs import Ask, ClimbJob, LookJob, Observer
from app.engine.model import DeviceModel
from app.engine.runner import Runner
from app.engine.steps.eager import EagerStep
from app.engine.telemetry import Listener, nobody
from app.engine.token import WorkToken
from tests.adversarial.tiny import random_convnet, random_images

CLASSES = 4
SOON_SECONDS = 60.0
"""After this long a test has failed rather than waited: processors are shared."""


class WatchedStep(EagerStep):
    """Torch's own step, which notes how many rows it is given, and first does what a test asks of it."""

    def __init__(self, network: nn.Module, before: Callable[[Tensor], None] = lambda images: None) -> None:
        super().__init__(network)
        self.before = before
        self.looks: list[int] = []
        self.climbs: list[int] = []

    def logits(self, images: Tensor) -> Tensor:
        self.before(images)
        self.looks.append(len(images))
        return super().logits(images)

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        self.before(images)
        self.climbs.append(len(images))
        return super().logits_and_gradient(images, aims)


@dataclass(frozen=True, eq=False)
class Small:
    """A network in float64, so that only a mistake makes rows differ that share a batch; and its model."""

    network: nn.Module
    step: WatchedStep
    model: DeviceModel


def small(seed: int = 0, before: Callable[[Tensor], None] = lambda images: None) -> Small:
    network = random_convnet(seed)
    step = WatchedStep(network, before)
    return Small(
        network, step, DeviceModel(step, torch.device("cpu"), (2, 5, 4), bytes_per_row=900, name=f"small{seed}")
    )


def rows_of(label: list[int], steps: list[int], *, momentum: float = 0.0, encourage: bool = True) -> Rows:
    rows = Rows.alike(torch.tensor(label), encourage=encourage, size_rms=0.1, steps=1, overshoot=4.0, momentum=momentum)
    return replace(rows, size_rms=rows.size_rms.double(), steps=torch.tensor(steps))


def ask(
    seed: int,
    rows: Rows,
    *,
    follow_rule: StopRule = while_below_size,
    leave_rule: StopRule | None = None,
    cut_at_deadline: bool = False,
) -> Ask:
    """Random images to climb the cross entropy from."""
    aims = Aims.alike(rows.label, margin=False, classes=CLASSES)
    return Ask(random_images(seed, len(rows)), rows, aims, follow_rule, leave_rule, cut_at_deadline)


def alone(network: nn.Module, asked: Ask) -> tuple[LoopResult, Tensor]:
    """What the loop comes to for each row by itself, and the logits at its end."""
    results = []
    for row in range(len(asked.rows)):
        one = slice(row, row + 1)
        looped = perturb(network, asked.images[one], asked.rows[one], asked.follow_rule)
        results.append((looped, look_at_end(network, asked.images[one], asked.rows[one], looped)[0]))
    perturbation = torch.cat([looped.perturbation for looped, _ in results])
    non_finite_step = torch.cat([looped.non_finite_step for looped, _ in results])
    return LoopResult(perturbation, non_finite_step), torch.cat([logits for _, logits in results])


def require_as_alone(job: ClimbJob, network: nn.Module) -> None:
    """A job that ended came to what each of its rows comes to alone: to 1e-12, of pixels and of logits."""
    job.wait()
    climbed, (looped, at_end) = job.result(), alone(network, job.ask)
    torch.testing.assert_close(climbed.looped.perturbation, looped.perturbation, rtol=0, atol=1e-12)
    torch.testing.assert_close(climbed.at_end, at_end, rtol=0, atol=1e-11)
    assert climbed.looped.non_finite_step.tolist() == looped.non_finite_step.tolist()


@dataclass
class Desk:
    """A runner without its thread, which a test moves on step by step."""

    max_step_rows: int = 32
    max_step_bytes: int = 10**9
    admission: Admission = field(default_factory=lambda: Admission(Bounds(100, 10**9, 60.0)))
    listener: Listener = nobody

    def __post_init__(self) -> None:
        self.runner = Runner(
            self.admission,
            max_step_rows=self.max_step_rows,
            max_step_bytes=self.max_step_bytes,
            listener=self.listener,
        )

    def climb(self, on: Small, asked: Ask, token: WorkToken | None = None, observe: Observer | None = None) -> ClimbJob:
        job = ClimbJob(on.model, Reservation(1.0, 0, on.model.meter), token or WorkToken(), asked, observe)
        self.runner.add(job)
        return job

    def look(self, on: Small, images: Tensor) -> LookJob:
        job = LookJob(on.model, Reservation(1.0, 0, on.model.meter), WorkToken(), images)
        self.runner.add(job)
        return job

    def run(self, steps: int = 10_000) -> None:
        """Until there is nothing left to do, or for some steps."""
        for _ in range(steps):
            if not len(self.runner):
                return
            self.runner.step()


class LateToken(WorkToken):
    """A token whose time is over when a test says so."""

    def __init__(self) -> None:
        super().__init__(3600.0)

    def be_late(self) -> None:
        self._deadline = time.monotonic()

    def be_late_in(self, gradient: int, model: DeviceModel, patch: pytest.MonkeyPatch) -> None:
        """Be late while the model computes gradients for the so-manieth time from now."""
        original, made = model.step.logits_and_gradient, itertools.count(1)

        def logits_and_gradient(images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
            if next(made) == gradient:
                self.be_late()
            return original(images, aims)

        patch.setattr(model.step, "logits_and_gradient", logits_and_gradient)


class Gate:
    """Holds up the device inside a step: `reached` when it is there, until `open`."""

    def __init__(self) -> None:
        self.reached, self._open = threading.Event(), threading.Event()

    def __call__(self, images: Tensor) -> None:
        del images
        self.reached.set()
        assert self._open.wait(SOON_SECONDS)

    def open(self) -> None:
        self._open.set()

    def __enter__(self) -> "Gate":
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
