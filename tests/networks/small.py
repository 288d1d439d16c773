"""A network of a few hundred weights, its description, and its tensors under the paper authors' names."""

import torch
from torch import Tensor

from app.networks.description import ExplanationDefaults, InputDescription, ModelDescription
from app.networks.resnet import ResNet, ResNetConfig, freeze

CONFIG = ResNetConfig(classes=3, widths=(4, 8), blocks=(1, 2))
CLASSES = ("cat", "dog", "a class, with a comma")


def small_network(config: ResNetConfig = CONFIG, seed: int = 0) -> ResNet:
    """Frozen, with no weight at a value that another seed would give."""
    torch.manual_seed(seed)
    network = ResNet(config)
    state = {
        name: torch.rand_like(tensor) + 0.1 if tensor.is_floating_point() else tensor
        for name, tensor in network.state_dict().items()
    }
    network.load_state_dict(state)
    freeze(network)
    return network


def small_description(config: ResNetConfig = CONFIG) -> ModelDescription:
    return ModelDescription(
        architecture=config,
        classes=CLASSES,
        input=InputDescription(8, 10, config.channels, "letterbox"),
        explanation=ExplanationDefaults(rho=0.05, scale=0.25),
        training={"epochs": 3, "attack": None},
        scores={"accuracy": 0.5, "classes": {"cat": [1, 2]}},
        source="Made by a test.",
    )


def authors_tensors(network: ResNet) -> dict[str, Tensor]:
    """State dict of a network of `CONFIG`'s shape as the authors' code names it, half-Huber or not."""
    ours = network.state_dict()
    theirs = {
        "input_offset": torch.tensor([network.config.mean, network.config.std]),
        "pipe.0.weight": ours["stem.weight"],
        "pipe.6.weight": ours["classifier.weight"][:, :, None, None],
        "pipe.6.bias": ours["classifier.bias"],
        "pipe.2.0.shortcut.weight": ours["blocks.1.shortcut.weight"],
    }
    for kind in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        theirs[f"pipe.3.{kind}"] = ours[f"norm.{kind}"]
        for block, place in enumerate(("1.0", "2.0", "2.1")):
            theirs[f"pipe.{place}.pre.0.{kind}"] = ours[f"blocks.{block}.norm1.{kind}"]
            theirs[f"pipe.{place}.main.1.{kind}"] = ours[f"blocks.{block}.norm2.{kind}"]
    for block, place in enumerate(("1.0", "2.0", "2.1")):
        theirs[f"pipe.{place}.main.0.weight"] = ours[f"blocks.{block}.conv1.weight"]
        theirs[f"pipe.{place}.main.3.weight"] = ours[f"blocks.{block}.conv2.weight"]
    if network.config.activation == "half_huber":
        places = [f"pipe.{place}.{layer}" for place in ("1.0", "2.0", "2.1") for layer in ("pre.1", "main.2")]
        theirs |= {f"{place}.d": torch.tensor(0.5) for place in (*places, "pipe.4")}
    return theirs


def images(network: ResNet, count: int = 2) -> Tensor:
    """Some images (count, channels, 8, 10) for it."""
    return torch.rand(count, network.config.channels, 8, 10, generator=torch.Generator().manual_seed(5))
