"""The trainer, read from top to bottom: attack a batch, learn from it, keep an average, save often.

All chance is drawn from generators seeded by (recipe's seed, step), and every state that a step depends on is saved, so
a run that was killed goes on as if it had not been.
"""

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.adversarial.loop import Network, perturb
from app.adversarial.rows import Rows
from app.adversarial.stop_rules import while_below_size, while_class_stands
from app.errors import DataError, NotFinite
from app.networks.resnet import ResNet, freeze
from app.training.data import DataSet, Images, augment
from app.training.losses import WeightAverage, draw_scores, lipschitz_penalty, next_pressure, psi
from app.training.recipe import Attack, Recipe

HELD_OUT_IMAGES = 500
HELD_OUT_ATTACK = Attack(size_rms=0.03, steps=10, share=1.0)


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


def train(
    recipe: Recipe,
    data: DataSet,
    run: Path,
    *,
    resume: bool = False,
    compiled: bool = False,
    save_every_seconds: float = 180,
    report: Callable[[Progress], None] = lambda progress: None,
) -> nn.Module:
    """Train to the end of the recipe and return the network (the weights' average, where the recipe keeps one).

    Args:
        recipe: every number of the run.
        data: images; the last `HELD_OUT_IMAGES` of the training split are kept out and attacked each epoch.
        run: folder for `state.pt` and `log.jsonl`; made if missing.
        resume: go on from `state.pt`, which must be there.
        compiled: compile the passes without second derivative: faster, and not equal to the last bit.
        save_every_seconds: how much work a kill may cost.
        report: called after every step.

    Raises:
        DataError: no state to resume from, or images that this network or batch size cannot take.
        NotFinite: the loss or a weight became NaN or infinite; `state.pt` still holds the last good state.
    """
    _require_fit(recipe, data)
    run.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    learn, held_out = _hold_out(data.train)
    network = ResNet(recipe.network).to(memory_format=torch.channels_last)
    average = WeightAverage(network, ResNet(recipe.network), recipe.average_decay)
    passes: Network = torch.compile(network) if compiled else network
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )
    batches = len(learn) // recipe.batch_size
    steps = math.ceil(recipe.epochs * batches)
    first, pressure = 0, 0.0
    if resume:
        first, pressure = _load(run / "state.pt", network, average, optimizer)

    began = saved = time.monotonic()
    for step in range(first, steps):
        random = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        order = _order(recipe, len(learn), epoch=step // batches)
        mine = order[step % batches * recipe.batch_size :][: recipe.batch_size]
        label = learn.labels[mine]
        images = augment(learn.images[mine], recipe.crop_padding, random).float() / 255
        images = images.contiguous(memory_format=torch.channels_last)
        if recipe.attack is not None:
            images = attacked(passes, network, images, label, recipe.attack, random)

        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step, steps)
        weight = 0.0 if recipe.lipschitz is None else psi(recipe.lipschitz, pressure)
        network.train().requires_grad_(True)
        optimizer.zero_grad(set_to_none=True)
        logits, cross_entropy, penalty = _gradients(passes, network, images, label, recipe, weight, random)
        if not (cross_entropy.isfinite() and penalty.isfinite()):
            raise _diverged(run, step, f"The loss is {float(cross_entropy)} and its penalty {float(penalty)}")
        optimizer.step()
        average.update(network, step)
        if recipe.lipschitz is not None:
            pressure = next_pressure(recipe.lipschitz, pressure, float(cross_entropy))

        now = time.monotonic()
        accuracy = float((logits.argmax(1) == label).float().mean())
        progress = Progress(step + 1, steps, float(cross_entropy), accuracy, weight, now - began)
        report(progress)
        epoch_ends = (step + 1) % batches == 0 or step + 1 == steps
        saves = epoch_ends or now - saved > save_every_seconds
        if saves and not all(values.isfinite().all() for values in network.state_dict().values()):
            raise _diverged(run, step, "A weight is not finite")  # a finite loss can have a gradient that is not
        if epoch_ends:
            _log(run, progress, penalty=float(penalty), **_held_out_scores(average.average, held_out))
        elif (step + 1) % 50 == 0:
            _log(run, progress, penalty=float(penalty))
        if saves:
            _save(run / "state.pt", step + 1, pressure, recipe, network, average, optimizer)
            saved = now
    return freeze(average.average)


def learning_rate(recipe: Recipe, step: int, steps: int) -> float:
    """Rate of SGD at `step` of `steps`."""
    done = step / steps
    if recipe.schedule == "paper":
        return recipe.learning_rate * (1.0 if done < 170 / 200 else 0.1 if done < 195 / 200 else 0.01)
    warm = min(1.0, (step + 1) / max(1, recipe.warmup_steps))
    return recipe.learning_rate * min(warm, (1 - done) / recipe.cooldown)


def attacked(
    passes: Network, network: nn.Module, images: Tensor, label: Tensor, attack: Attack, random: torch.Generator
) -> Tensor:
    """The batch as the network should learn it: each image attacked with the recipe's probability and size."""
    network.eval().requires_grad_(False)
    rows = Rows.alike(label, encourage=False, size_rms=attack.size_rms, steps=attack.steps, overshoot=1.0, momentum=0.0)
    if attack.random_size:
        rows = replace(rows, size_rms=rows.size_rms * torch.rand(len(label), generator=random))
    # An image that is left alone runs along at size 0: the batch keeps its shape, which compiled passes want.
    chosen = torch.rand(len(label), generator=random) < attack.share
    rows = replace(rows, size_rms=torch.where(chosen, rows.size_rms, 0.0))
    rule = while_below_size if attack.goal == "size" else while_class_stands
    return images + perturb(passes, images, rows, rule).perturbation


def _gradients(
    passes: Network,
    network: nn.Module,
    images: Tensor,
    label: Tensor,
    recipe: Recipe,
    weight: float,
    random: torch.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """Add the gradients of cross entropy + psi * penalty to the weights; returns logits and both terms."""
    options = recipe.lipschitz
    shared = options is not None and options.batch_share == 1
    leaf = images.detach().requires_grad_(shared)
    # The penalty is differentiated twice, which compiled passes cannot be.
    logits = network(leaf) if shared else passes(leaf)
    cross_entropy = functional.cross_entropy(logits, label)
    penalty = torch.zeros(())
    if options is None:
        cross_entropy.backward()  # type: ignore[no-untyped-call]
        return logits.detach(), cross_entropy.detach(), penalty
    count = max(1, round(options.batch_share * len(label)))
    tandem, drawn = draw_scores(options, count, recipe.network.classes, random)
    if shared:
        penalty = lipschitz_penalty(logits, leaf, label, tandem, drawn)
        (cross_entropy + weight * penalty).backward()  # type: ignore[no-untyped-call]
    else:
        cross_entropy.backward()  # type: ignore[no-untyped-call]
        part = images[:count].detach().requires_grad_()
        penalty = lipschitz_penalty(network(part), part, label[:count], tandem, drawn)
        (weight * penalty).backward()  # type: ignore[no-untyped-call]
    return logits.detach(), cross_entropy.detach(), penalty.detach()


def _require_fit(recipe: Recipe, data: DataSet) -> None:
    learn, _ = _hold_out(data.train)
    if len(learn) < recipe.batch_size:
        raise DataError(f"{len(learn)} images to learn from are less than one batch of {recipe.batch_size}.")
    channels, classes = learn.images.shape[1], 1 + int(data.train.labels.max())
    if channels != recipe.network.channels or classes > recipe.network.classes:
        raise DataError(
            f"The images have {channels} channels and {classes} classes, and the recipe's network takes"
            f" {recipe.network.channels} and {recipe.network.classes}: set both in the recipe."
        )


def _diverged(run: Path, step: int, what: str) -> NotFinite:
    return NotFinite(
        f"{what} at step {step}; {run / 'state.pt'} holds the last good state."
        " Resume from it with a lower learning rate."
    )


def _hold_out(images: Images) -> tuple[Images, Images]:
    if len(images) <= 2 * HELD_OUT_IMAGES:
        return images, images
    kept = len(images) - HELD_OUT_IMAGES
    return Images(images.images[:kept], images.labels[:kept]), Images(images.images[kept:], images.labels[kept:])


def _order(recipe: Recipe, count: int, epoch: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(recipe.seed * 7_919 + epoch))


def _held_out_scores(network: nn.Module, held_out: Images) -> dict[str, float]:
    images, label = held_out.floats(slice(None)), held_out.labels
    random = torch.Generator().manual_seed(0)
    after = attacked(network, network, images, label, HELD_OUT_ATTACK, random)
    with torch.no_grad():
        plain, under_attack = ((network(x).argmax(1) == label).float().mean() for x in (images, after))
    return {"held_out_accuracy": float(plain), "held_out_accuracy_rms_0.03": float(under_attack)}


def _log(run: Path, progress: Progress, **more: float) -> None:
    with (run / "log.jsonl").open("a") as log:
        log.write(json.dumps({**asdict(progress), **more}) + "\n")


def _save(
    path: Path,
    step: int,
    pressure: float,
    recipe: Recipe,
    network: nn.Module,
    average: WeightAverage,
    optimizer: torch.optim.Optimizer,
) -> None:
    """Write whole or not at all: a kill in the middle leaves the state before."""
    state: dict[str, Any] = {
        "step": step,
        "pressure": pressure,
        "recipe": asdict(recipe),
        "network": network.state_dict(),
        "average": average.average.state_dict(),
        "optimizer": optimizer.state_dict(),
    }
    beside = path.with_suffix(".tmp")
    with beside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _load(
    path: Path, network: nn.Module, average: WeightAverage, optimizer: torch.optim.Optimizer
) -> tuple[int, float]:
    if not path.is_file():
        raise DataError(f"There is no {path} to resume from; start without --resume.")
    state = torch.load(path, weights_only=True)
    network.load_state_dict(state["network"])
    average.average.load_state_dict(state["average"])
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"]), float(state["pressure"])
