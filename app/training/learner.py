"""A network that learns, a step at a time: attack the batch, add up the gradients, move, and keep an average."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from app.adversarial.loop import Network
from app.adversarial.rows import Rows
from app.errors import NotFinite
from app.networks.build import build_network
from app.training.attack import attacked, draw_rows
from app.training.distributed import ALONE, Processes
from app.training.losses import WeightAverage, draw_scores, lipschitz_penalty, next_pressure, psi
from app.training.muon import make_optimizer
from app.training.recipe import Lipschitz, Recipe
from app.training.start import Start, begin_from
from app.training.synchronized_norm import synchronize_batch_norm


@dataclass(frozen=True)
class StepResult:
    """What a step found on its attacked batch, of all processes: cross entropy, penalty, accuracy; and psi."""

    loss: float
    penalty: float
    accuracy: float
    psi: float


@dataclass(frozen=True)
class _Batch:
    """A batch and all that was drawn for it, on the processor; indexed by a slice, some of its rows."""

    images: Tensor
    label: Tensor
    rows: Rows | None
    tandem: Tensor
    drawn: Tensor

    def __getitem__(self, part: slice) -> "_Batch":
        rows = None if self.rows is None else self.rows[part]
        return _Batch(self.images[part], self.label[part], rows, self.tandem[part], self.drawn[part])


class Learner:
    """Everything that a step changes: the network, its average, the optimizer, and the sum R that psi grows with.

    Processes that learn together hold the same, and see different rows of each batch.
    """

    def __init__(
        self,
        recipe: Recipe,
        classes: int,
        *,
        device: torch.device,
        processes: Processes = ALONE,
        compiled: bool = False,
        start: Start | None = None,
        class_weights: Tensor | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        network = build_network(recipe.network, classes)
        if start is not None:
            begin_from(network, start)
        if processes.count > 1:
            synchronize_batch_norm(network)
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.average = WeightAverage(
            self.network, build_network(recipe.network, classes).to(device), recipe.average_decay
        )
        self.optimizer = make_optimizer(self.network, recipe)
        self.pressure = 0.0
        self._recipe, self._classes, self.device, self._processes = recipe, classes, device, processes
        self._class_weights = class_weights
        lower = recipe.amp and device.type == "cuda"
        fast: Network = torch.compile(self.network) if compiled else self.network
        # Compiled passes cannot be differentiated twice, nor wait for other processes in their batch norm.
        self._attack_passes = in_bfloat16(fast) if lower else fast
        self._twice_passes = in_bfloat16(self.network) if lower else self.network
        self._learn_passes = self._attack_passes if processes.count == 1 else self._twice_passes

    def step(self, images: Tensor, label: Tensor, *, step: int, rate: float, random: torch.Generator) -> StepResult:
        """Learn from a batch.

        Args:
            images: uint8 (batch, channels, height, width), the batch of all processes.
            label: int64 (batch,).
            step: from 0.
            rate: of SGD.
            random: for attacks and penalty; the same in all processes.

        Raises:
            NotFinite: the loss is NaN or infinite; the weights are those before.
        """
        recipe, options = self._recipe, self._recipe.lipschitz
        rows = None if recipe.attack is None else draw_rows(label, recipe.attack, random)
        tandem = drawn = label[:0]
        if options is not None:
            tandem, drawn = draw_scores(options, penalized(options, len(label)), self._classes, random)
        batch = _Batch(images, label, rows, tandem, drawn)
        weight = 0.0 if options is None else psi(options, self.pressure)

        for group in self.optimizer.param_groups:
            group["lr"] = rate * group.get("rate_factor", 1.0)
        self.optimizer.zero_grad(set_to_none=True)
        found = torch.zeros(3, device=self.device)
        for turn in range(recipe.accumulate):
            found += self._learn_part(batch, weight, turn)
        self._processes.add_up(found)
        self._processes.add_up_gradients(self.network)
        loss, penalty, correct = found.tolist()
        if not found.isfinite().all():
            raise NotFinite(f"The loss is {loss} and its penalty {penalty} at step {step}")
        self.optimizer.step()
        self.average.update(self.network, step)
        if options is not None:
            self.pressure = next_pressure(options, self.pressure, loss)
        return StepResult(loss, penalty, correct / len(label), weight)

    def require_finite(self, step: int) -> None:
        """Raise `NotFinite` where a weight is not: a finite loss can have a gradient that is not."""
        if not all(values.isfinite().all() for values in self.network.state_dict().values()):
            raise NotFinite(f"A weight is not finite at step {step}")

    def _learn_part(self, batch: _Batch, weight: float, turn: int) -> Tensor:
        """Add this process's gradients of one part; returns its share of loss and penalty, and how many are right."""
        # Every so-many-th row, so that the penalty's rows, the batch's first, are parted evenly too.
        parts = self._recipe.accumulate * self._processes.count
        part = batch[turn + self._recipe.accumulate * self._processes.rank :: parts]
        label = part.label.to(self.device)
        images = (part.images.to(self.device).float() / 255).contiguous(memory_format=torch.channels_last)
        if part.rows is not None and self._recipe.attack is not None:
            images = attacked(self._attack_passes, self.network, images, part.rows, self._recipe.attack)
        self.network.train().requires_grad_(True)

        options = self._recipe.lipschitz
        shared = options is not None and options.batch_share == 1
        leaf = images.detach().requires_grad_(shared)
        logits = self._twice_passes(leaf) if shared else self._learn_passes(leaf)
        weights = None if self._class_weights is None else self._class_weights.to(self.device)
        loss = functional.cross_entropy(logits, label, weights) * self._share(part.label, batch.label)
        penalty = torch.zeros((), device=self.device)
        if not shared:
            loss.backward()  # type: ignore[no-untyped-call]
        if options is not None:
            if not shared:
                leaf, label = images[: len(part.drawn)].detach().requires_grad_(), label[: len(part.drawn)]
            score_logits = logits if shared else self._twice_passes(leaf)
            tandem, drawn = part.tandem.to(self.device), part.drawn.to(self.device)
            penalty = lipschitz_penalty(score_logits, leaf, label, tandem, drawn) / parts
            ((loss if shared else 0) + weight * penalty).backward()  # type: ignore[no-untyped-call]
        right = (logits.argmax(1) == part.label.to(self.device)).float().sum()
        return torch.stack([loss.detach(), penalty.detach(), right])

    def _share(self, label: Tensor, of: Tensor) -> float:
        """What part of the batch's mean the mean over these labels is."""
        if self._class_weights is None:
            return len(label) / len(of)
        return float(self._class_weights[label].sum() / self._class_weights[of].sum())


def penalized(options: Lipschitz, batch_size: int) -> int:
    """How many images of a batch the penalty is measured on: its first."""
    return max(1, round(options.batch_share * batch_size))


def in_bfloat16(network: Network) -> Network:
    """The same passes with convolutions and matrix products in bfloat16; logits in float32."""

    def passes(images: Tensor) -> Tensor:
        with torch.autocast(images.device.type, torch.bfloat16):
            logits = network(images)
        return logits.float()

    return passes
