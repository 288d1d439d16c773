"""A step for batches of any size, put together from steps that each take one size."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.engine.steps.buckets import slices
from app.engine.steps.protocol import GradientStep


class BucketedStep:
    """Splits a batch over a few sizes, and fills the last part up with rows that are thrown away.

    Args:
        name: of the back end.
        classes: number of logits.
        buckets: the sizes.
        make: a step for batches of exactly the size it is handed; called once for each, when first needed.
    """

    def __init__(self, name: str, classes: int, buckets: Sequence[int], make: Callable[[int], GradientStep]) -> None:
        self.name = name
        self.buckets = tuple(buckets)
        self._classes = classes
        self._make = make
        self._steps: dict[int, GradientStep] = {}

    def logits(self, images: Tensor) -> Tensor:
        logits = images.new_empty(len(images), self._classes)
        for bucket, rows in slices(len(images), self.buckets):
            part = images[rows]
            logits[rows] = self._step(bucket).logits(_filled(part, bucket))[: len(part)]
        return logits

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        logits, gradient = images.new_empty(len(images), self._classes), torch.empty_like(images)
        for bucket, rows in slices(len(images), self.buckets):
            part, mine = images[rows], aims[rows]
            filled = Aims(_filled(mine.label, bucket), _filled(mine.margin, bucket), _filled(mine.rivals, bucket))
            of_all = self._step(bucket).logits_and_gradient(_filled(part, bucket), filled)
            logits[rows], gradient[rows] = (answer[: len(part)] for answer in of_all)
        return logits, gradient

    def prepare(self) -> None:
        """Make the steps of all sizes now, and not in the midst of the work."""
        for bucket in self.buckets:
            self._step(bucket)

    def _step(self, bucket: int) -> GradientStep:
        if bucket not in self._steps:
            self._steps[bucket] = self._make(bucket)
        return self._steps[bucket]


def _filled(rows: Tensor, bucket: int) -> Tensor:
    """Rows of zeros put behind, to `bucket` of them."""
    if len(rows) == bucket:
        return rows.contiguous()
    filled = rows.new_zeros(bucket, *rows.shape[1:])
    filled[: len(rows)] = rows
    return filled
