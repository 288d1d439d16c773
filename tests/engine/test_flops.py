"""Floating-point operations, counted by hand on networks of one layer."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from app.engine.flops import device_flops_per_second, gradient_flops

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")


class Uncountable(nn.Module):
    """A network that looks at its numbers, and refuses grey."""

    def forward(self, images: Tensor) -> Tensor:
        raise ValueError(f"{len(images)} grey images are no images")


def test_a_matrix_costs_two_operations_a_weight_there_and_two_back() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 2 * 4, 5)).requires_grad_(False)
    assert gradient_flops(network, (3, 2, 4), CPU) == 2 * 2 * 24 * 5


def test_a_convolution_costs_its_weights_at_each_pixel() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten()).requires_grad_(False)
    assert gradient_flops(network, (3, 6, 5), CPU) == 2 * 2 * (3 * 8 * 9) * (6 * 5)


class Attends(nn.Module):
    """Batches of matrix products, whole and grouped and transposed convolutions, strides, and a bias."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(6, 4, 2, stride=2)
        self.classify = nn.Linear(6, 3)

    def forward(self, images: Tensor) -> Tensor:
        seen = self.down(images)
        tokens = seen.flatten(2).mT
        mixed = torch.baddbmm(tokens, (tokens @ tokens.mT).softmax(2), tokens)
        classes: Tensor = self.classify(mixed.mean(1)) + self.up(seen).mean()
        return classes


def test_it_counts_what_torchs_own_counter_does() -> None:
    network, image = Attends().requires_grad_(False), torch.full((1, 4, 8, 6), 0.5, requires_grad=True)
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(network(1 * image).sum())  # of a leaf itself its hooks cannot be told
    assert gradient_flops(network, (4, 8, 6), CPU) == counter.get_total_flops() > 0


def test_counting_loads_no_compiler() -> None:
    script = (
        "import sys, torch; from app.engine.flops import gradient_flops;"
        "assert gradient_flops(torch.nn.Conv2d(3, 4, 3), (3, 8, 8), torch.device('cpu'));"
        "assert not {'triton', 'torch._dynamo', 'sympy'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT)


def test_a_network_that_cannot_be_counted_has_no_number() -> None:
    assert gradient_flops(Uncountable(), (3, 2, 4), CPU) is None
    assert gradient_flops(nn.Flatten(), (3, 2, 4), CPU) is None


def test_the_device_makes_some() -> None:
    rate = device_flops_per_second(CPU)
    assert rate is not None
    assert rate > 1e6


class Meanwhile(nn.Module):
    """A network that, while it is asked, has another thread work with a network of its own."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self.work = work

    def forward(self, images: Tensor) -> Tensor:
        with ThreadPoolExecutor(1) as other:
            other.submit(self.work).result()
        return images.flatten(1)


def test_counting_leaves_alone_what_other_threads_compute() -> None:
    """The device's thread makes its steps while a model is loaded: nobody may hook their tensors."""
    kept: list[Tensor] = []
    network, image = nn.Sequential(nn.Linear(2, 2)), torch.ones(1, 2, requires_grad=True)
    gradient_flops(Meanwhile(lambda: kept.append(network(image))), (1, 1, 2), CPU)
    assert kept[0]._backward_hooks is None
