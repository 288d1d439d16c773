"""The recorded step. On the CPU a recording is the work itself, done again; what CUDA adds is marked `gpu`."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from app.adversarial.aims import Aims
from app.engine.steps.check import relative_error
from app.engine.steps.cuda import BUCKETS, MAX_BFLOAT16_ERROR, cuda_step
from app.engine.steps.eager import eager
from app.errors import StepUnavailable
from tests.engine.steps.networks import CLASSES, NETWORKS, SHAPE, between

CPU = torch.device("cpu")


class FakeDevice:
    """Records work by doing it, and counts."""

    def __init__(self) -> None:
        self.recordings = 0
        self.replays = 0

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recordings += 1
        work()

        def replay() -> None:
            self.replays += 1
            work()

        return replay


def images(rows: int) -> Tensor:
    return torch.rand(rows, *SHAPE, generator=torch.Generator().manual_seed(0))


def aims(rows: int) -> Aims:
    return Aims.alike(torch.arange(rows) % CLASSES, margin=False, classes=CLASSES)


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 7])
def test_equals_eager_for_any_number_of_rows(rows: int) -> None:
    network = between(nn.BatchNorm2d(8), nn.ReLU())
    step = cuda_step(network, SHAPE, CLASSES, device=CPU, buckets=(2, 4), record=FakeDevice().record)
    logits, gradient = step.logits_and_gradient(images(rows), aims(rows))
    expected_logits, expected = eager(network).logits_and_gradient(images(rows), aims(rows))
    torch.testing.assert_close(logits, expected_logits)
    torch.testing.assert_close(gradient, expected)
    torch.testing.assert_close(step.logits(images(rows)), expected_logits)


def test_each_size_is_recorded_once_and_then_replayed() -> None:
    device = FakeDevice()
    step = cuda_step(between(), SHAPE, CLASSES, device=CPU, buckets=(2, 4), record=device.record)
    step.prepare()
    assert device.recordings == 4  # forward, and both ways, for two sizes
    before = device.replays
    step.logits_and_gradient(images(5), aims(5))  # by 4 and 2
    step.logits(images(4))
    assert device.recordings == 4
    assert device.replays - before == 3


def test_a_recording_that_computes_something_else_is_refused() -> None:
    def forgetful(work: Callable[[], None]) -> Callable[[], None]:
        work()
        return lambda: None  # what was recorded is never done again

    step = cuda_step(between(), SHAPE, CLASSES, device=CPU, buckets=(2,), record=forgetful)
    with pytest.raises(StepUnavailable, match="cuda step is off by"):
        step.prepare()


def test_bfloat16_is_near_float32_but_not_it() -> None:
    network = NETWORKS["half_huber"]()
    step = cuda_step(network, SHAPE, CLASSES, device=CPU, bfloat16=True, buckets=(2,), record=FakeDevice().record)
    error = relative_error(step, eager(network), images(2), 2)
    assert 1e-4 < error < MAX_BFLOAT16_ERROR
    assert step.logits(images(2)).dtype == torch.float32


def test_without_a_cuda_device_it_says_so() -> None:
    with pytest.raises(StepUnavailable, match="needs a CUDA device"):
        cuda_step(between(), SHAPE, CLASSES, device=CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("bfloat16", [False, True])
def test_cuda_graphs_compute_what_torch_does(*, bfloat16: bool) -> None:
    device = torch.device("cuda")
    torch.backends.cudnn.allow_tf32 = False
    network = NETWORKS["residual, average"]().to(device)
    step = cuda_step(network, SHAPE, CLASSES, device=device, bfloat16=bfloat16)
    step.prepare()  # refuses what is off
    for rows in (1, 3, max(BUCKETS) + 1):
        error = relative_error(step, eager(network), images(2).to(device), rows)
        assert error < (MAX_BFLOAT16_ERROR if bfloat16 else 1e-4)
