"""The step as torch does it unaided: any module, any device. What every other back end is held to."""

import copy

import torch
from torch import Tensor, nn

from app.adversarial.aims import Aims, drive


class EagerStep:
    """One forward and one backward pass, with no gradient for weights.

    Args:
        network: from images to logits, in evaluation mode.
        channels_last: whether images and weights are laid out channel by channel within each pixel, which some devices
            like better; the step then works on a copy of the network.
    """

    name = "eager"

    def __init__(self, network: nn.Module, *, channels_last: bool = False) -> None:
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        if channels_last:
            network = copy.deepcopy(network)
            for module in network.modules():
                if isinstance(module, nn.Conv2d):
                    module.to(memory_format=torch.channels_last)
        self._network = network

    def logits(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            logits: Tensor = self._network(images.contiguous(memory_format=self._layout))
        return logits

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            leaf = images.detach().contiguous(memory_format=self._layout).requires_grad_()
            logits: Tensor = self._network(leaf)
            (gradient,) = torch.autograd.grad(drive(logits, aims).sum(), leaf)
        return logits.detach(), gradient.contiguous()


def eager(network: nn.Module) -> EagerStep:
    """The plain step of any network, on any device."""
    return EagerStep(network)
