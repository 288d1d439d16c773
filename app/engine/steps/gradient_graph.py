"""A network's forward pass and its gradient over the images, traced into one graph of plain operators."""

import copy
from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import Tensor, fx, nn
from torch._decomp import core_aten_decompositions
from torch.autograd.function import FunctionCtx
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.modules.batchnorm import _BatchNorm

from app.adversarial.aims import Aims, drive
from app.engine.steps.gradient_rules import RULES
from app.networks.activations import HalfHuber


class _Bend(torch.autograd.Function):
    """Half-Huber ReLU by one clamp, which value and slope share: m = clamp(x, 0, delta), m (x - m / 2) / delta."""

    @staticmethod
    def forward(x: Tensor, delta: float) -> tuple[Tensor, Tensor]:
        bent = x.clamp(0, delta)
        return bent * (x - 0.5 * bent) * (1 / delta), bent

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Tensor, float], output: tuple[Tensor, Tensor]) -> None:
        ctx.delta = inputs[1]  # type: ignore[attr-defined]  # a context takes any name
        ctx.save_for_backward(output[1])
        ctx.mark_non_differentiable(output[1])

    @staticmethod
    def backward(ctx: FunctionCtx, grad: Tensor, _: Tensor) -> tuple[Tensor, None]:
        (bent,) = ctx.saved_tensors  # type: ignore[attr-defined]  # as above
        return grad * bent * (1 / ctx.delta), None  # type: ignore[attr-defined]  # as above


class _BentReLU(nn.Module):
    def __init__(self, delta: float) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = _Bend.apply(x, self.delta)[0]
        return out


class _ScaleShift(nn.Module):
    """A batch norm in evaluation mode; an inference engine folds it into the convolution before or behind it."""

    scale: Tensor
    shift: Tensor

    def __init__(self, norm: _BatchNorm) -> None:
        super().__init__()
        mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        scale = (variance.double() + norm.eps).rsqrt()
        shift = -mean * scale
        if norm.affine:
            scale, shift = scale * norm.weight, shift * norm.weight + norm.bias
        self.register_buffer("scale", scale.float())
        self.register_buffer("shift", shift.float())

    def forward(self, x: Tensor) -> Tensor:
        by_channel = (1, -1, *[1] * (x.dim() - 2))
        return x * self.scale.view(by_channel) + self.shift.view(by_channel)


def gradient_graph(network: nn.Module, images: Tensor, classes: int) -> fx.GraphModule:
    """(images, label, margin, rivals) to (logits, gradient), for batches shaped as `images`; see `Aims` for the rest.

    Raises:
        StepUnavailable: an operator's gradient has no rule here.
    """
    network = _made_plain(network)

    def both(images: Tensor, label: Tensor, margin: Tensor, rivals: Tensor) -> tuple[Tensor, Tensor]:
        def climbed(at: Tensor) -> tuple[Tensor, Tensor]:
            logits: Tensor = network(at)
            return drive(logits, Aims(label, margin, rivals)).sum(), logits

        gradient, logits = torch.func.grad(climbed, has_aux=True)(images)
        return logits, gradient

    aims = Aims.alike(torch.zeros(len(images), dtype=torch.int64), margin=False, classes=classes)
    tracer = make_fx(both, decomposition_table=_decompositions())  # type: ignore[arg-type]  # it is what torch hands out
    return tracer(images, aims.label, aims.margin, aims.rivals)


@cache
def _decompositions() -> Mapping[torch._ops.OperatorBase, Callable[..., object]]:
    return {**core_aten_decompositions(), **RULES}


def _made_plain(network: nn.Module) -> nn.Module:
    """A copy whose batch norms are one multiplication and one addition, and whose half-Hubers are clamps."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, HalfHuber):
                setattr(module, name, _BentReLU(child.delta))
            elif isinstance(child, _BatchNorm) and child.running_mean is not None:
                setattr(module, name, _ScaleShift(child))
    return network
