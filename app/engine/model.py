"""A network as the engine sees it: its gradient step, and what one row of it costs."""

from dataclasses import dataclass, field
from itertools import chain

import torch
from torch import Tensor, nn

from app.engine.admission import Meter
from app.engine.flops import gradient_flops
from app.engine.scheduler import Kind
from app.engine.steps.protocol import GradientStep

_FLOAT_BYTES = 4
_KEPT_IMAGES = 5  # of each row: image, change and velocity, and these again where a step takes part of the batch


@dataclass(frozen=True, eq=False)
class DeviceModel:
    """Ready to be asked. Only equal to itself, so new weights are another model, and both may run side by side.

    Attributes:
        step: the network.
        device: where it is.
        shape: channels, height and width of its images.
        bytes_per_row: memory that a gradient step of one row works in; it also stands for the time that takes.
        name: for those who count and log.
        gradient_flops: floating-point operations of one row in a gradient step, None where nobody could count them.
        meter: how fast it lately was.
    """

    step: GradientStep
    device: torch.device
    shape: tuple[int, int, int]
    bytes_per_row: int
    name: str = ""
    gradient_flops: int | None = None
    meter: Meter = field(default_factory=Meter)

    def cost(self, kind: Kind) -> float:
        """Of one row in a step: a gradient's is its working memory; the way back costs twice the way there."""
        return self.bytes_per_row if kind == "climb" else self.bytes_per_row / 3

    @property
    def held_bytes(self) -> int:
        """Memory of one row between its steps."""
        channels, height, width = self.shape
        return _KEPT_IMAGES * _FLOAT_BYTES * channels * height * width


def open_model(
    network: nn.Module, step: GradientStep, shape: tuple[int, int, int], device: torch.device, name: str = ""
) -> DeviceModel:
    """Get a network, which is on `device` and in evaluation mode, and whose step it is, ready for an engine."""
    bytes_per_row, flops = working_bytes(network, shape, device), gradient_flops(network, shape, device)
    return DeviceModel(step, device, shape, bytes_per_row, name, flops)


def working_bytes(network: nn.Module, shape: tuple[int, int, int], device: torch.device) -> int:
    """Bytes kept between the forward and the backward pass of one image, weights left out; at least the image's own."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in chain(network.parameters(), network.buffers())}
    kept: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    image = torch.full((1, *shape), 0.5, device=device, requires_grad=True)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        logits = network(image)  # held until the end, so that no storage is counted that took another's place
    total = sum(kept.values())
    del logits
    return max(total, _FLOAT_BYTES * image.numel())
