"""Maps that can be differentiated: what an attack on an explanation climbs, in place of the explanation itself.

A ReLU's slope does not change but in jumps, so a map of gradients has no gradient of its own. The networks here have
softplus where the explained one has ReLU (Dombrowski et al. 2019, arXiv 1906.07983), around the same weights. What an
attack came to is judged by the method itself, on the network itself.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from app.networks.feature_maps import last_feature_map, shell_of

SHARPNESS = 20.0  # softplus(b x) / b is within .035 of ReLU, and all but equal to it beyond .2

SmoothMap = Callable[[Tensor, Tensor], Tensor]
"""(images, target int64 (batch,)) to maps (batch, channels or 1, height, width), with a graph back to the images."""


def smooth_shell(network: nn.Module, sharpness: float = SHARPNESS) -> nn.Module:
    """The network's modules again, around the same weights, with softplus for ReLU."""
    shell = shell_of(network)
    for module in list(shell.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU):
                setattr(module, name, nn.Softplus(beta=sharpness))
    return shell


def smooth_gradient(network: nn.Module) -> SmoothMap:
    """The gradient of the target's logit over the image: the first term of all methods made of gradients."""
    shell = smooth_shell(network)

    def gradient(images: Tensor, target: Tensor) -> Tensor:
        leaf = images if images.requires_grad else images.detach().requires_grad_()
        score = shell(leaf).gather(1, target[:, None]).sum()
        (slope,) = torch.autograd.grad(score, leaf, create_graph=True)
        return slope

    return gradient


def smooth_grad_cam(network: nn.Module, image: Tensor) -> SmoothMap | None:
    """Grad-CAM as `grad_cam` has it, at the size of the feature map; None where the network has no such map.

    Args:
        network: from images to logits, in evaluation mode.
        image: (1, channels, height, width), of the size that the network is used at.
    """
    layer = last_feature_map(network, image)
    if layer is None:
        return None
    shell = smooth_shell(network)
    seen: list[Tensor] = []
    shell.get_submodule(layer).register_forward_hook(lambda _module, _given, made: seen.append(made))

    def cam(images: Tensor, target: Tensor) -> Tensor:
        seen.clear()
        leaf = images if images.requires_grad else images.detach().requires_grad_()
        score = shell(leaf).gather(1, target[:, None]).sum()
        features = seen.pop()
        (slope,) = torch.autograd.grad(score, features, create_graph=True)
        return (slope.mean((2, 3), keepdim=True) * features).sum(1, keepdim=True)

    return cam
