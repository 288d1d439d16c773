"""What lies inside a network, found without hooks on the network that others use.

That is its last feature map, which Grad-CAM reads, and what its last layer reads.
"""

import copy
from itertools import chain

import torch
from torch import Tensor, nn


def shell_of(network: nn.Module) -> nn.Module:
    """The network's modules again, around the same weights: it takes no memory to speak of.

    Every thread that calls a module runs the module's hooks, so who needs hooks sets them on a shell of their own.
    """
    weights = {id(tensor): tensor for tensor in chain(network.parameters(), network.buffers())}
    return copy.deepcopy(network, weights)  # what is in the memo counts as copied already


def last_feature_map(network: nn.Module, image: Tensor) -> str | None:
    """Name of the submodule that makes the last feature map of more than one place: `act` of our ResNets.

    Takes one forward pass. None where there is no such map, or where the network goes on with a list of tokens, as a
    vision transformer does: what it makes of them is in no map any more.

    Args:
        network: from images to logits, in evaluation mode.
        image: (1, channels, height, width), of the size that the network is used at.
    """
    shell = shell_of(network)
    found: list[str | None] = [None]

    def watch(name: str, module: nn.Module) -> None:
        def note(module: nn.Module, given: object, made: object) -> None:
            del module, given
            if not isinstance(made, Tensor):
                return
            if made.dim() == 4 and made.shape[2:].numel() > 1:
                found[0] = name
            elif made.dim() == 3:
                found[0] = None

        module.register_forward_hook(note)

    for name, module in shell.named_modules():
        watch(name, module)
    with torch.no_grad():
        shell(image)
    return found[0]


def last_layer(network: nn.Module) -> str:
    """Name of the submodule that makes logits, `classifier` of our ResNets: the last with weights to read with."""
    names: list[str] = [name for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)]
    return names[-1]


def without_last_layer(network: nn.Module) -> nn.Module:
    """A shell of the network that ends before its last layer: from images to what that layer reads.

    Of most networks that is (batch, features); of one that ends with a convolution it may have places, too.
    """
    shell = shell_of(network)
    shell.set_submodule(last_layer(network), nn.Identity())
    return shell
