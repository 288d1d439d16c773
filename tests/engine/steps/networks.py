"""Networks with every operator that a rule is written for, small, in float32."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from app.networks.activations import HalfHuber
from app.networks.resnet import ResNet, ResNetConfig

CLASSES = 4
SHAPE = (3, 12, 10)


def frozen(network: nn.Module, *, seed: int = 0) -> nn.Module:
    """In evaluation mode, without gradient on weights, its batch norms with statistics of their own."""
    random = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.get_buffer("running_mean").normal_(0, 0.3, generator=random)
            module.get_buffer("running_var").uniform_(0.5, 2, generator=random)
            for parameter in module.parameters():
                parameter.data.uniform_(0.5, 2, generator=random)
    return network.eval().requires_grad_(False)


def between(*middle: nn.Module) -> nn.Module:
    """The layers, which take and give 8 channels, between a convolution and a linear classifier."""
    torch.manual_seed(0)
    return frozen(
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), *middle, MeanOverPixels(), nn.Linear(8, CLASSES))
    )


class MeanOverPixels(nn.Module):
    """(batch, channels, height, width) to (batch, channels), weighted so that no pixel stands for another."""

    def forward(self, x: Tensor) -> Tensor:
        return (x * torch.linspace(0.5, 1.5, x.shape[-1])).tanh().mean((2, 3))


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "half_huber": lambda: between(HalfHuber()),
    "batch norm behind a convolution": lambda: between(nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU()),
    "batch norm before a convolution": lambda: between(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3)),
    "batch norm without weights": lambda: between(nn.BatchNorm2d(8, affine=False)),
    "rectangular kernel": lambda: between(nn.Conv2d(8, 8, (3, 5), padding=(1, 2))),
    "padding beyond the kernel": lambda: between(nn.Conv2d(8, 8, 1, padding=1)),
    "stride": lambda: between(nn.Conv2d(8, 8, 3, stride=2, padding=1)),
    "stride that leaves pixels over": lambda: between(nn.Conv2d(8, 8, 2, stride=3)),
    "dilation": lambda: between(nn.Conv2d(8, 8, 3, dilation=2, padding=2)),
    "groups": lambda: between(nn.Conv2d(8, 8, 3, groups=2, padding=1)),
    "depthwise with stride": lambda: between(nn.Conv2d(8, 8, 3, groups=8, stride=2, padding=1)),
    "transposed convolution": lambda: between(nn.ConvTranspose2d(8, 8, 3, stride=2, output_padding=1)),
    "average pooling": lambda: between(nn.AvgPool2d(2)),
    "average pooling that leaves pixels over": lambda: between(nn.AvgPool2d(3)),
    "overlapping average pooling": lambda: between(nn.AvgPool2d(3, 2, 1)),
    "max pooling": lambda: between(nn.MaxPool2d(2)),
    "overlapping max pooling": lambda: between(nn.ReLU(), nn.MaxPool2d(3, 2, 1)),
    "group norm": lambda: between(nn.GroupNorm(2, 8)),
    "layer norm": lambda: between(nn.LayerNorm([12, 10])),
    "gelu": lambda: between(nn.GELU()),
    "pooling to one pixel": lambda: between(nn.AdaptiveAvgPool2d(1)),
    "residual, average": lambda: frozen(
        ResNet(ResNetConfig(CLASSES, widths=(6, 8), blocks=(1, 1), stem_pool=2, downsample="average"))
    ),
    "residual, stride": lambda: frozen(ResNet(ResNetConfig(CLASSES, widths=(6, 6), blocks=(1, 2), activation="relu"))),
}
