"""The trainer, read from top to bottom: take a batch, learn from it, say how it went, save often.

All chance is drawn from generators seeded by (recipe's seed, step), and every state that a step depends on is saved, so
a run that was killed goes on as if it had not been. Processes that train together draw the same, and share the rows.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from app.errors import DataError, NotFinite, OptionError
from app.networks.resnet import ResNetConfig, freeze
from app.training.attack import attacked, draw_rows
from app.training.augment import augment, random_aspect
from app.training.calibrate import calibrate
from app.training.data import DataSet, Images
from app.training.distributed import ALONE, Processes
from app.training.journal import Journal
from app.training.learner import Learner, penalized
from app.training.recipe import Attack, Recipe
from app.training.start import Start
from app.training.state import load_state, save_state

HELD_OUT_IMAGES = 500
HELD_OUT_ATTACK = Attack(size_rms=0.03, steps=10, share=1.0)
LOG_EVERY_STEPS = 50
_MANY_ANSWERS = ("googlenet", "inception_v3")  # of auxiliary heads


@dataclass(frozen=True)
class Progress:
    """What a step reports: numbers to show, not to decide by.

    Attributes:
        step, steps: done, and in all.
        loss: cross entropy on the attacked batch.
        accuracy: on the attacked batch.
        psi: weight of the regularizer, 0 without one.
        seconds: since this process began to train.
    """

    step: int
    steps: int
    loss: float
    accuracy: float
    psi: float
    seconds: float


@dataclass(frozen=True)
class Trained:
    """What a run ends with: the network, frozen, and the temperature its logits were divided by, if they were."""

    network: nn.Module
    temperature: float | None


def train(
    recipe: Recipe,
    data: DataSet,
    run: Path,
    *,
    resume: bool = False,
    compiled: bool = False,
    device: torch.device | str = "cpu",
    processes: Processes = ALONE,
    start: Start | None = None,
    class_weights: Tensor | None = None,
    save_every_seconds: float = 180,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Trained:
    """Train to the end of the recipe and return the network (the weights' average, where the recipe keeps one).

    Args:
        recipe: every number of the run.
        data: images; `HELD_OUT_IMAGES` of the training split, drawn by the seed, are kept out and attacked each epoch.
        run: folder for `state.pt`, `log.jsonl` and TensorBoard's; made if missing.
        resume: go on from `state.pt`, which must be there.
        compiled: compile the passes without second derivative: faster, and not equal to the last bit.
        device: where this process computes.
        processes: which of how many this process is; the first alone reports and writes.
        start: weights to begin with, instead of random ones.
        class_weights: float (classes,), for a recipe that weighs classes.
        save_every_seconds: how much work a kill may cost.
        report: called after every step.

    Raises:
        DataError: no state to resume from, one of another recipe, or images that this network cannot take.
        OptionError: a batch cannot be parted as asked.
        NotFinite: the loss or a weight became NaN or infinite; `state.pt` still holds the last good state.
        NotWritten: the disk is full; likewise.
    """
    learn, held_out = _hold_out(data.train, recipe.seed)
    require_fit(recipe, data, len(learn), processes)
    if recipe.class_weights and class_weights is None:
        raise OptionError("The recipe weighs classes: hand in their weights.")
    if not resume and (run / "state.pt").exists():
        raise DataError(f"{run} holds the state of a run: go on with --resume, or begin in another folder.")
    run.mkdir(parents=True, exist_ok=True)
    learner = Learner(
        recipe,
        class_count(recipe, data),
        device=torch.device(device),
        processes=processes,
        compiled=compiled,
        start=start,
        class_weights=class_weights if recipe.class_weights else None,
    )
    batches = len(learn) // recipe.batch_size
    steps = math.ceil(recipe.epochs * batches)
    first = load_state(run / "state.pt", recipe, learner) if resume else 0
    journal = Journal(run, first) if processes.is_first else None

    began = saved = time.monotonic()
    for step in range(first, steps):
        random = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        order = _order(recipe.seed, len(learn), epoch=step // batches)
        mine = order[step % batches * recipe.batch_size :][: recipe.batch_size]
        images = augment(learn.images[mine], recipe.crop_padding, random)
        images = random_aspect(images, recipe.max_aspect_ratio, random)
        rate = learning_rate(recipe, step, steps)
        try:
            result = learner.step(images, learn.labels[mine], step=step, rate=rate, random=random)
        except NotFinite as error:
            raise _diverged(run, error) from None
        if journal is None:
            continue

        now = time.monotonic()
        progress = Progress(step + 1, steps, result.loss, result.accuracy, result.psi, now - began)
        report(progress)
        epoch_ends = (step + 1) % batches == 0 or step + 1 == steps
        saves = epoch_ends or now - saved > save_every_seconds
        if saves:
            try:
                learner.require_finite(step)
            except NotFinite as error:
                raise _diverged(run, error) from None
        if epoch_ends or (step + 1) % LOG_EVERY_STEPS == 0:
            held_out_scores = _held_out_scores(recipe, learner, held_out) if epoch_ends else {}
            journal.write({**asdict(progress), "penalty": result.penalty, "learning_rate": rate, **held_out_scores})
        if saves:
            save_state(run / "state.pt", step + 1, recipe, learner)
            saved = now
    if journal is not None:
        journal.close()
    network = freeze(learner.average.average)
    return Trained(network, calibrate(network, held_out) if recipe.calibrate else None)


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Rate of SGD at `step` of `steps`."""
    done = step / steps
    if recipe.schedule == "paper":
        return recipe.learning_rate * (1.0 if done < 170 / 200 else 0.1 if done < 195 / 200 else 0.01)
    warm = min(1.0, (step + 1) / max(1, recipe.warmup_steps))
    return recipe.learning_rate * min(warm, (1 - done) / recipe.cooldown)


def class_count(recipe: Recipe, data: DataSet) -> int:
    """Logits of the network: what our own networks say of themselves, and otherwise the data's classes."""
    return recipe.network.classes if isinstance(recipe.network, ResNetConfig) else len(data.classes)


def require_fit(recipe: Recipe, data: DataSet, count: int, processes: Processes = ALONE) -> None:
    """Raise a sentence where the recipe cannot learn from `count` images such as these, in so many processes."""
    if count < recipe.batch_size:
        raise DataError(f"{count} images to learn from are less than one batch of {recipe.batch_size}.")
    channels, classes = data.train.images.shape[1], 1 + int(data.train.labels.max())
    takes = recipe.network.channels if isinstance(recipe.network, ResNetConfig) else 3
    if channels not in ({takes} if isinstance(recipe.network, ResNetConfig) else {1, 3}) or classes > class_count(
        recipe, data
    ):
        raise DataError(
            f"The images have {channels} channels and {classes} classes, and the recipe's network takes"
            f" {takes} and {class_count(recipe, data)}: set both in the recipe."
        )
    if not isinstance(recipe.network, ResNetConfig) and recipe.network.name in _MANY_ANSWERS:
        raise OptionError(f"{recipe.network.name} answers with more than logits while it trains; take another network.")
    parts = recipe.accumulate * processes.count
    penalty = 0 if recipe.lipschitz is None else penalized(recipe.lipschitz, recipe.batch_size)
    if recipe.accumulate < 1 or recipe.batch_size % parts or penalty % parts:
        of_penalty = f", and the {penalty} images of it that the penalty is measured on," if penalty else ""
        raise OptionError(
            f"A batch of {recipe.batch_size}{of_penalty} cannot be parted evenly in {parts}"
            f" ({processes.count} processes, --accumulate {recipe.accumulate}): choose numbers that divide."
        )


def _diverged(run: Path, error: NotFinite) -> NotFinite:
    state = run / "state.pt"
    kept = f"{state} holds the last good state. Resume from it" if state.exists() else "No state was saved. Begin again"
    return NotFinite(f"{error}; {kept} with a lower learning rate.")


def _hold_out(images: Images, seed: int) -> tuple[Images, Images]:
    if len(images) <= 2 * HELD_OUT_IMAGES:
        return images, images
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    learn, held_out = order[HELD_OUT_IMAGES:].sort().values, order[:HELD_OUT_IMAGES]
    return Images(images.images[learn], images.labels[learn]), Images(images.images[held_out], images.labels[held_out])


@lru_cache(maxsize=1)
def _order(seed: int, count: int, epoch: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed * 7_919 + epoch))


def _held_out_scores(recipe: Recipe, learner: Learner, held_out: Images) -> dict[str, float]:
    network = learner.average.average
    size = recipe.batch_size // recipe.accumulate
    right = torch.zeros(2)
    for at in range(0, len(held_out), size):
        images, label = held_out.floats(slice(at, at + size)), held_out.labels[at : at + size]
        rows = draw_rows(label, HELD_OUT_ATTACK, torch.Generator().manual_seed(0))
        images, label = images.to(learner.device), label.to(learner.device)
        after = attacked(network, network, images, rows, HELD_OUT_ATTACK)
        with torch.no_grad():
            right += torch.tensor([float((network(x).argmax(1) == label).sum()) for x in (images, after)])
    plain, under_attack = (right / len(held_out)).tolist()
    return {"held_out_accuracy": plain, "held_out_accuracy_rms_0.03": under_attack}
