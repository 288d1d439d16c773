"""A network's forward pass and its gradient over the images, traced into one graph of plain operators."""

import copy
from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import Tensor, fx, nn
from torch._decomp import core_aten_decompositions, get_decompositions
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.modules.batchnorm import _BatchNorm

from app.adversarial.aims import Aims, drive
from app.engine.steps.gradient_rules import RULES
from app.errors import StepUnavailable
from app.networks.activations import HalfHuber


class _BentReLU(nn.Module):
    """Half-Huber ReLU by one clamp m of x to [0, delta]: m (x - m / 2) / delta, whose slope is m / delta.

    That is also its slope where m is taken for a constant, and so it is here.
    """

    def __init__(self, delta: float) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, x: Tensor) -> Tensor:
        bent = x.clamp(0, self.delta).detach()
        return bent * (x - 0.5 * bent) * (1 / self.delta)


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
        StepUnavailable: an operator's gradient has no rule here, or the network does something that no graph can hold.
    """
    network = _made_plain(network)

    def both(images: Tensor, label: Tensor, margin: Tensor, rivals: Tensor) -> tuple[Tensor, Tensor]:
        def climbed(at: Tensor) -> tuple[Tensor, Tensor]:
            logits: Tensor = network(at)
            return drive(logits, Aims(label, margin, rivals)).sum(), logits

        gradient, logits = torch.func.grad(climbed, has_aux=True)(images)
        return logits, gradient

    aims = Aims.alike(torch.zeros(len(images), dtype=torch.int64), margin=False, classes=classes)
    table = _decompositions()
    tracer = make_fx(torch.func.functionalize(both), table)  # type: ignore[arg-type]  # it is what torch hands out
    try:
        return tracer(images, aims.label, aims.margin, aims.rivals)
    except StepUnavailable:
        raise
    except Exception as error:  # whatever code the network's author wrote may trip over being traced
        what = str(error).strip().split("\n", 1)[0]
        raise StepUnavailable(f"This network cannot be traced: {type(error).__name__}: {what}") from error


@cache
def _decompositions() -> Mapping[torch._ops.OperatorBase, Callable[..., object]]:
    norms = get_decompositions([torch.ops.aten.native_group_norm, torch.ops.aten.native_layer_norm])
    return {**core_aten_decompositions(), **norms, **RULES}


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
