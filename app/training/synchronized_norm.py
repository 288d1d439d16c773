"""Batch normalization over the batches of all processes, differentiable twice and on any device.

torch's SyncBatchNorm runs on CUDA alone, and its backward pass has no derivative, which the Lipschitz penalty needs.
"""

from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional


class _Total(torch.autograd.Function):
    """The sum over all processes. Each one's value reaches every one's loss, so gradients are added up the same way."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ANN401 - torch's own, which has no type
        del ctx
        total = values.clone(memory_format=torch.contiguous_format)
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:  # noqa: ANN401 - as above
        del ctx
        return _added_up(*gradients)


def _added_up(values: Tensor) -> Tensor:
    total: Tensor = _Total.apply(values)
    return total


class SynchronizedBatchNorm2d(nn.BatchNorm2d):
    """In training, as one process would normalize the batches of all together, each of which has as many images."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.momentum is None or self.running_mean is None or self.running_var is None:
            return super().forward(x)
        mean, variance = _statistics(x.float())
        with torch.no_grad():
            count = x.numel() // x.shape[1] * distributed.get_world_size()
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            if self.num_batches_tracked is not None:
                self.num_batches_tracked += 1
        scale = self.weight * (variance + self.eps).rsqrt()
        normal = (x.float() - mean.view(-1, 1, 1)) * scale.view(-1, 1, 1) + self.bias.view(-1, 1, 1)
        return normal.to(x.dtype)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance, each (features,), of x (batch, features, height, width) over all processes."""
    mean = x.mean((0, 2, 3))
    variance = (x - mean.view(-1, 1, 1)).square().mean((0, 2, 3))
    # Everyone's in one message: a mean of squares less a squared mean would lose what is small beside the mean.
    rank, count = distributed.get_rank(), distributed.get_world_size()
    mine = torch.stack([mean, variance])[None]
    means, variances = _added_up(functional.pad(mine, (0, 0, 0, 0, rank, count - rank - 1))).unbind(1)
    together = means.mean(0)
    return together, variances.mean(0) + (means - together).square().mean(0)


def synchronize_batch_norm(network: nn.Module) -> None:
    """Put the synchronized kind in place of every batch norm, with the same weights and names."""
    for module in network.modules():
        for name, child in list(module.named_children()):
            if type(child) is nn.BatchNorm2d:
                shared = SynchronizedBatchNorm2d(child.num_features, child.eps, child.momentum)
                shared.load_state_dict(child.state_dict())
                setattr(module, name, shared)
