"""Two steps of a recipe at its full size: how long an epoch will take, and how much memory."""

import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from app.errors import OptionError
from app.training.augment import augment
from app.training.data import Images
from app.training.distributed import ALONE, Processes
from app.training.learner import Learner
from app.training.recipe import Recipe

STEPS = 2


@dataclass(frozen=True)
class DryRun:
    """What two steps took.

    Attributes:
        step_seconds: of each; the first warms up.
        steps_per_epoch: batches in the images that the run will have.
        peak_bytes: the most memory held at once, of this process on the CPU, or on its GPU.
        loss: of each step, as a sign of life.
    """

    step_seconds: tuple[float, ...]
    steps_per_epoch: int
    peak_bytes: int
    loss: tuple[float, ...]

    @property
    def epoch_seconds(self) -> float:
        return self.step_seconds[-1] * self.steps_per_epoch


def synthetic_images(count: int, classes: int, *, channels: int, side: int) -> Images:
    """Noise of that size with labels drawn at random."""
    random = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (count, channels, side, side), dtype=torch.uint8, generator=random)
    return Images(images, torch.randint(classes, (count,), generator=random))


def dry_run(
    recipe: Recipe,
    sample: Images,
    classes: int,
    images: int,
    *,
    device: torch.device,
    processes: Processes = ALONE,
    compiled: bool = False,
    report: Callable[[int], None] = lambda step: None,
) -> DryRun:
    """Make two steps on images of `sample`, which has at least one batch, as if there were `images` of them.

    Raises:
        OptionError: it does not fit in memory; says what would.
    """
    seconds, losses = [], []
    with _fitting_in_memory(recipe, device):
        learner = Learner(recipe, classes, device=device, processes=processes, compiled=compiled)
        for step in range(STEPS):
            began = time.monotonic()
            random = torch.Generator().manual_seed(recipe.seed + step)
            mine = torch.randperm(len(sample), generator=random)[: recipe.batch_size]
            batch = augment(sample.images[mine], recipe.crop_padding, random)
            rate = recipe.learning_rate / 10
            result = learner.step(batch, sample.labels[mine], step=step, rate=rate, random=random)
            seconds.append(time.monotonic() - began)
            losses.append(result.loss)
            report(step + 1)
    return DryRun(tuple(seconds), max(1, images // recipe.batch_size), peak_bytes(device), tuple(losses))


def peak_bytes(device: torch.device) -> int:
    """The most memory this process has held at once: on its GPU, or altogether."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


@contextmanager
def _fitting_in_memory(recipe: Recipe, device: torch.device) -> Iterator[None]:
    """A sentence where memory ends. On the CPU that end is set here, before Linux would kill the process."""
    free = None if device.type == "cuda" else _free_bytes()
    before = resource.getrlimit(resource.RLIMIT_DATA)
    if free is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (_status("/proc/self/status", "VmData") + free, before[1]))
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, MemoryError | torch.OutOfMemoryError) and "memory" not in str(error):
            raise
        where = "of the GPU" if free is None else f"that is free, {free / 2**30:.1f} GiB"
        raise OptionError(
            f"{recipe.batch_size // recipe.accumulate} images at a time do not fit in the memory {where}:"
            f" raise --accumulate, now {recipe.accumulate}, or lower --batch-size, now {recipe.batch_size}."
        ) from error
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _free_bytes() -> int | None:
    try:
        return _status("/proc/meminfo", "MemAvailable")
    except OSError:
        return None  # no Linux


def _status(file: str, name: str) -> int:
    line = next(line for line in Path(file).read_text().splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1]) * 1024
