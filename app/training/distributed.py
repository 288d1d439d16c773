"""Several processes that train one network: each takes its rows of every batch, and what they find is added up.

torch's DistributedDataParallel is not used: its hooks know one backward pass a step, and a step here has two, one of
them differentiated twice. Adding the gradients up once, after both, is the same sum.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this is. The first, rank 0, alone reports and writes."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def add_up(self, tensor: Tensor) -> None:
        """Make it, in place, the sum over all processes."""
        if self.count > 1:
            distributed.all_reduce(tensor)

    def add_up_gradients(self, network: nn.Module) -> None:
        """Make every weight's gradient the sum over all processes."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
        together = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(together)
        sizes = [gradient.numel() for gradient in gradients]
        for gradient, total in zip(gradients, torch.split(together, sizes), strict=True):
            gradient.copy_(total.view(gradient.shape))


ALONE = Processes()


@contextmanager
def joined(device: torch.device) -> Iterator[tuple[Processes, torch.device]]:
    """Meet the other processes that torchrun started, if it did; gives this one's place and device."""
    if "WORLD_SIZE" not in os.environ:
        yield ALONE, device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size()), device
    finally:
        distributed.destroy_process_group()
