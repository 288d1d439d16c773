"""Floating-point operations: what a gradient takes of them, and how many a second the device can make at the most."""

import time
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

_SIDE = {"cpu": 1024, "cuda": 8192}  # of the product that measures; so large that nothing but arithmetic counts
_ROUNDS = 3


def _product(left: Tensor, right: Tensor) -> int:
    return 2 * left.numel() * right.shape[-1]


def _convolution(weight: Tensor, spread: Tensor) -> int:
    """Every weight once at each place of each image of the larger side, as multiplication and addition."""
    places: int = spread.shape[0] * prod(spread.shape[2:])
    return 2 * weight.numel() * places


def _flops(name: str, args: Sequence[Any], out: Any) -> int:  # noqa: ANN401 - whatever operators give
    """Of one call of an operator of aten; 0 of all others, which hardly count but for fused attention."""
    match name:
        case "mm" | "bmm":
            return _product(args[0], args[1])
        case "addmm" | "baddbmm":
            return _product(args[1], args[2])
        case "convolution":
            image, weight, transposed = args[0], args[1], args[6]
            return _convolution(weight, image if transposed else out)
        case "convolution_backward":
            gradient, image, weight, transposed, wanted = *args[:3], args[7], args[10]
            return int(sum(wanted[:2])) * _convolution(weight, image if transposed else gradient)
    return 0


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has not typed it
    """Adds up the operators of this thread.

    Torch's `FlopCounterMode` hooks every module of the process, and so breaks the steps that another thread makes; and
    it loads a compiler for GPUs, 85 MB.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nor this
        self.flops = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing here is compiled: torch would load its compiler, 150 MB, in order to leave this out of it."""
        return False

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever operators give
        del types
        out = func(*args, **(kwargs or {}))
        self.flops += _flops(func.overloadpacket.__name__, args, out)
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
