"""Pre-activation residual network (He et al. 2016) built from a frozen description: the paper's, and ours."""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional

from app.networks.activations import ACTIVATIONS
from app.networks.normalize import Normalize


@dataclass(frozen=True)
class ResNetConfig:
    """Everything needed to build the network again.

    The paper's ResNet-44: `ResNetConfig(classes=10)`, with the authors' input normalization.

    Attributes:
        classes: number of logits.
        channels: of the input image, 1 or 3.
        widths, blocks: features and residual blocks of each group; every group after the first halves height and width.
        activation: a name in `app.networks.activations.ACTIVATIONS`.
        stem_kernel: side of the first convolution, stride 1.
        stem_pool: side of the average pooling after it, 1 for none. A strided stem would leave a checkerboard in the
            input gradient, and so in every explanation.
        downsample: how a group halves its input: "stride" as in the paper, or "average" pooling before the block.
        mean, std: input normalization, one number for each channel, images in [0, 1].
    """

    classes: int
    channels: int = 3
    widths: tuple[int, ...] = (16, 32, 64)
    blocks: tuple[int, ...] = (7, 7, 7)
    activation: str = "half_huber"
    stem_kernel: int = 3
    stem_pool: int = 1
    downsample: Literal["stride", "average"] = "stride"
    mean: tuple[float, ...] = (0.4914, 0.4822, 0.4465)
    std: tuple[float, ...] = (0.247, 0.243, 0.261)

    def __post_init__(self) -> None:
        if len(self.widths) != len(self.blocks):
            raise ValueError(f"{len(self.widths)} widths for {len(self.blocks)} groups of blocks: give one for each")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation {self.activation!r} is none of {', '.join(ACTIVATIONS)}")
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std need one number for each of {self.channels} channels")


class PooledConv2d(nn.Conv2d):
    """A convolution at stride 1 with average pooling after it, computed as one strided convolution.

    Both are linear, so one kernel does what both do: the convolution's, spread over the pool's window. The results are
    equal but for rounding, and the features at full size, the largest of the network, are never computed or kept.
    """

    def __init__(self, channels: int, features: int, kernel: int, pool: int) -> None:
        super().__init__(channels, features, kernel, padding=kernel // 2, bias=False)
        self.pool = pool

    def forward(self, images: Tensor) -> Tensor:
        if self.pool == 1:
            return super().forward(images)
        window = self.weight.new_full((1, 1, self.pool, self.pool), 1 / self.pool**2)
        spread = functional.conv2d(self.weight.flatten(0, 1)[:, None], window, padding=self.pool - 1)
        both = spread.view(*self.weight.shape[:2], *spread.shape[2:])
        return functional.conv2d(images, both, stride=self.pool, padding=self.padding)


class ResidualBlock(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))), the sum's left side projected where the shape changes."""

    def __init__(self, config: ResNetConfig, features_in: int, features: int, *, halve: bool) -> None:
        super().__init__()
        pooled = halve and config.downsample == "average"
        stride = 2 if halve and not pooled else 1
        self.pool: nn.Module = nn.AvgPool2d(2) if pooled else nn.Identity()
        self.norm1 = nn.BatchNorm2d(features_in)
        self.act1 = ACTIVATIONS[config.activation]()
        self.conv1 = nn.Conv2d(features_in, features, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(features)
        self.act2 = ACTIVATIONS[config.activation]()
        self.conv2 = nn.Conv2d(features, features, 3, padding=1, bias=False)
        self.shortcut: nn.Conv2d | None = None
        if stride != 1 or features_in != features:
            kernel = 3 if config.downsample == "stride" else 1
            self.shortcut = nn.Conv2d(features_in, features, kernel, stride=stride, padding=kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(x)
        before = self.act1(self.norm1(x))
        residual: Tensor = self.conv2(self.act2(self.norm2(self.conv1(before))))
        kept: Tensor = x if self.shortcut is None else self.shortcut(before)
        return kept + residual


class ResNet(nn.Module):
    """Images (batch, channels, height, width) in [0, 1], of any height and width, to logits (batch, classes)."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = config
        self.normalize = Normalize(config.mean, config.std)
        self.stem = PooledConv2d(config.channels, config.widths[0], config.stem_kernel, config.stem_pool)
        groups: list[nn.Module] = []
        features_in = config.widths[0]
        for group, (features, blocks) in enumerate(zip(config.widths, config.blocks, strict=True)):
            for block in range(blocks):
                halve = group > 0 and block == 0
                groups.append(ResidualBlock(config, features_in, features, halve=halve))
                features_in = features
        self.blocks = nn.Sequential(*groups)
        self.norm = nn.BatchNorm2d(features_in)
        self.act = ACTIVATIONS[config.activation]()
        self.classifier = nn.Linear(features_in, config.classes)
        self._start()

    def _start(self) -> None:
        """He initialization; each block's last convolution starts at zero, so that the network starts shallow."""
        if self.classifier.weight.is_meta:  # no numbers to draw, and torch would load its compiler, 150 MB, not to
            return
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for module in self.modules():  # afterwards: a block comes before the convolutions in it
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.conv2.weight)

    def forward(self, images: Tensor) -> Tensor:
        x = self.blocks(self.stem(self.normalize(images)))
        # The mean is written out: global pooling to one pixel, in an operator every compiler differentiates.
        features = self.act(self.norm(x)).mean((2, 3))
        logits: Tensor = self.classifier(features)
        return logits


def count_parameters(network: nn.Module) -> int:
    """Trainable numbers in the network."""
    return sum(parameter.numel() for parameter in network.parameters())


def freeze(network: nn.Module) -> nn.Module:
    """Evaluation mode, and no gradient on any weight: what every loop over images wants."""
    return network.eval().requires_grad_(False)
