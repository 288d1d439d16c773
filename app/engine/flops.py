"""Floating-point operations: what a gradient takes of them, and how many a second the device can make at the most."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

_SIDE = {"cpu": 1024, "cuda": 8192}  # of the product that measures; so large that nothing but arithmetic counts
_ROUNDS = 3


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has not typed it
    """Adds up what torch's own formulas say of each operator of this thread.

    Torch's `FlopCounterMode` hooks every module of the process, and so breaks the steps that another thread makes.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nor this
        self.flops = 0

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever operators give
        del types
        out = func(*args, **(kwargs or {}))
        if formula := flop_registry.get(func.overloadpacket):
            self.flops += formula(*args, **(kwargs or {}), out_val=out)
        return out


def gradient_flops(network: nn.Module, shape: Sequence[int], device: torch.device) -> int | None:
    """Of one image's forward pass and the gradient over the image; None where torch cannot count them.

    Args:
        network: on `device`, in evaluation mode.
        shape: channels, height and width of its images.
        device: where it is.
    """
    image = torch.full((1, *shape), 0.5, device=device, requires_grad=True)
    try:
        with _Counting() as counting, torch.enable_grad():
            torch.autograd.grad(network(image).sum(), image)
    except Exception:  # noqa: BLE001 - a network is anybody's code; a number less is no reason not to serve it
        return None
    return counting.flops or None


def device_flops_per_second(device: torch.device) -> float | None:
    """The best of a few large float32 matrix products, or None where there is no memory for them."""
    side = _SIDE.get(device.type, _SIDE["cpu"])
    try:
        left, right = torch.rand(2, side, side, device=device)
        return 2 * side**3 / min(_seconds_of_product(left, right) for _ in range(_ROUNDS))
    except (RuntimeError, MemoryError):
        return None


def _seconds_of_product(left: torch.Tensor, right: torch.Tensor) -> float:
    settle(left.device)
    began = time.perf_counter()
    torch.mm(left, right)
    settle(left.device)
    return time.perf_counter() - began


def settle(device: torch.device) -> None:
    """Wait until the device has done all that it was told to; a processor has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
