"""Batches of any size by steps of a few sizes, shown with a step that answers with its own input."""

import pytest
import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.engine.steps.bucketed import BucketedStep

CLASSES = 3


class Echo:
    """The logits are the image's first pixels, the gradient is the image times its label; all in reused memory."""

    name = "echo"

    def __init__(self, size: int) -> None:
        self._logits = torch.empty(size, CLASSES)
        self._gradient = torch.empty(size, 1, 2, 2)

    def logits(self, images: Tensor) -> Tensor:
        return self._logits.copy_(images.flatten(1)[:, :CLASSES])  # another number of rows would not fit

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        assert aims.rivals.shape == (len(images), CLASSES)
        assert aims.margin.shape == (len(images),)
        return self.logits(images), self._gradient.copy_(images * aims.label.view(-1, 1, 1, 1))


def images(rows: int) -> Tensor:
    return torch.arange(4.0 * rows).view(rows, 1, 2, 2)


def aims(rows: int) -> Aims:
    return Aims.alike(torch.arange(rows) % CLASSES, margin=True, classes=CLASSES)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 4, 5, 9])
def test_every_row_gets_its_own_answer(rows: int) -> None:
    step = BucketedStep("echo", CLASSES, (2, 4), Echo)
    logits, gradient = step.logits_and_gradient(images(rows), aims(rows))
    expected = images(rows).flatten(1)[:, :CLASSES]
    assert torch.equal(logits, expected)
    assert torch.equal(step.logits(images(rows)), expected)
    assert torch.equal(gradient, images(rows) * aims(rows).label.view(-1, 1, 1, 1))


def test_an_answer_stays_when_the_next_one_is_made() -> None:
    step = BucketedStep("echo", CLASSES, (2,), Echo)
    logits, gradient = step.logits_and_gradient(images(2), aims(2))
    before = logits.clone(), gradient.clone()
    step.logits_and_gradient(images(2) + 1, aims(2))
    assert torch.equal(logits, before[0])
    assert torch.equal(gradient, before[1])


def test_each_size_is_made_once_and_when_it_is_needed() -> None:
    made = []

    def make(size: int) -> Echo:
        made.append(size)
        return Echo(size)

    step = BucketedStep("echo", CLASSES, (2, 4), make)
    step.logits(images(2))
    step.logits(images(2))
    assert made == [2]
    step.prepare()
    assert made == [2, 4]
