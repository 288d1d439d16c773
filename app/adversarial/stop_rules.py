"""When a row of the loop follows the gradient and when it shrinks: the only thing that tells its three uses apart."""

from collections.abc import Callable

from torch import Tensor

from app.adversarial.rows import Rows
from app.adversarial.sizes import rms

StopRule = Callable[[Tensor, Tensor, Rows], Tensor]
"""(logits (batch, classes), perturbation (batch, ...), rows) to bool (batch,): true where the gradient is followed."""


def while_below_size(logits: Tensor, perturbation: Tensor, rows: Rows) -> Tensor:
    """Explanations and L2 training: grow until the RMS asked for, then hover there; projected rows do so unasked."""
    del logits
    return (rms(perturbation) < rows.size_rms) | rows.projected


def while_class_stands(logits: Tensor, perturbation: Tensor, rows: Rows) -> Tensor:
    """Minimal attack and L2,min training: grow while the label is still the prediction."""
    del perturbation
    return logits.argmax(1) == rows.label


def while_better_than_random(logits: Tensor, perturbation: Tensor, rows: Rows) -> Tensor:
    """BTR: grow while the label's probability is above chance, 1 / classes."""
    del perturbation
    of_label = logits.softmax(1).gather(1, rows.label[:, None])[:, 0]
    return of_label > 1.0 / logits.shape[1]
