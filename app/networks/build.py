"""From what a checkpoint says of its architecture to a network: our own ResNet, or a torchvision classifier by name."""

from collections import OrderedDict
from dataclasses import dataclass
from functools import cache

from torch import nn

from app.errors import CheckpointError
from app.networks.normalize import Normalize
from app.networks.resnet import ResNet, ResNetConfig

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# These two warn about their slow initialization unless told; the weights are replaced anyway.
_OPTIONS: dict[str, dict[str, object]] = {
    "googlenet": {"init_weights": False},
    "inception_v3": {"init_weights": False},
}


@dataclass(frozen=True)
class TorchvisionConfig:
    """A classifier of torchvision by name, e.g. `resnet50`.

    Attributes:
        name: as in `torchvision_names()`.
        mean, std: input normalization, three numbers each, images in [0, 1].
    """

    name: str
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD


Architecture = ResNetConfig | TorchvisionConfig


@cache
def torchvision_names() -> tuple[str, ...]:
    """Names of torchvision's classifiers."""
    import torchvision  # type: ignore[import-untyped]  # noqa: PLC0415 - no types; 80 MB, for networks of its own alone

    return tuple(torchvision.models.list_models(module=torchvision.models))


def build_network(architecture: Architecture, classes: int) -> nn.Module:
    """A network with fresh weights, from images in [0, 1] to (batch, classes) logits. Nothing is downloaded.

    Raises:
        CheckpointError: torchvision has no classifier of that name.
    """
    if isinstance(architecture, ResNetConfig):
        return ResNet(architecture)
    name = architecture.name
    if name not in torchvision_names():
        raise CheckpointError(f"torchvision has no classifier {name!r}; it has {', '.join(torchvision_names())}.")
    import torchvision  # noqa: PLC0415 - as above

    network = torchvision.models.get_model(name, weights=None, num_classes=classes, **_OPTIONS.get(name, {}))
    # A grey image (batch, 1, ...) meets three means, and so becomes the three equal channels that the network wants.
    normalize = Normalize(architecture.mean, architecture.std)
    return nn.Sequential(OrderedDict(normalize=normalize, network=network))
