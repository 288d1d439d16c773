"""Networks small enough to work out by hand or to run image by image, in float64."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from app.adversarial.drives import Drive, cross_entropy, margin
from app.adversarial.rows import Rows
from app.adversarial.stop_rules import StopRule, while_below_size, while_better_than_random, while_class_stands
from tests.reference import (
    Follow,
    Score,
    follow_below,
    follow_while_better_than_chance,
    follow_while_class_is,
    plain_cross_entropy,
    plain_margin,
)

RULES: dict[StopRule, Callable[[Rows], Follow]] = {
    while_below_size: lambda row: follow_below(float(row.size_rms)),
    while_class_stands: lambda row: follow_while_class_is(int(row.label)),
    while_better_than_random: lambda row: follow_while_better_than_chance(int(row.label)),
}
"""Our stop rules, and the oracle's for one row."""

DRIVES: dict[Drive, Callable[[int], Score]] = {cross_entropy: plain_cross_entropy, margin: plain_margin}
"""Our drives, and the oracle's for one label."""


def random_convnet(seed: int, *, channels: int = 2, classes: int = 4) -> nn.Module:
    """A smooth random network for images of any height and width of at least 2; frozen, in evaluation mode."""
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv2d(channels, 6, 3, padding=1),
        nn.Tanh(),
        nn.Conv2d(6, 6, 3, padding=1, stride=2),
        nn.SiLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, classes),
    ).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(4)  # enough curvature that a wrong step shows
    return network.eval().requires_grad_(False)


def random_images(seed: int, count: int, *, channels: int = 2, height: int = 5, width: int = 4) -> Tensor:
    """Images (count, channels, height, width), float64, uniform in [0, 1]."""
    random = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, height, width, generator=random, dtype=torch.float64)


def two_pixel_network(images: Tensor) -> Tensor:
    """Images (batch, 1, 1, 2) to the logits (0, left - right).

    The gradient of either drive points along (1, -1) or against it, whose RMS is 1: every step is known by hand, and
    the change r * (1, -1), of RMS r, moves the second logit by 2 r.
    """
    difference = images[:, 0, 0, 0] - images[:, 0, 0, 1]
    return torch.stack([torch.zeros_like(difference), difference], 1)


def breaks_beyond(threshold: float, *, kind: str) -> Callable[[Tensor], Tensor]:
    """The two-pixel network, whose logits or gradients are not finite where left - right is above the threshold."""

    def network(images: Tensor) -> Tensor:
        logits = two_pixel_network(images)
        broken = (logits.detach()[:, 1] > threshold).nonzero()[:, 0]
        if kind == "gradient":
            part = images[broken]
            nothing = (part - part.detach()).flatten(1).square().sum(1).sqrt()  # 0, and its slope is 0 / 0
            return logits.index_add(0, broken, nothing[:, None].expand(-1, 2))
        return logits.index_fill(0, broken, float(kind))

    return network


def two_pixel_image(left_less_right: float) -> Tensor:
    """One image (1, 1, 1, 2) around mid-grey, float64."""
    half = left_less_right / 2
    return torch.tensor([[[[0.5 + half, 0.5 - half]]]], dtype=torch.float64)


def signed_size(perturbation: Tensor) -> float:
    """The r of a two-pixel change r * (1, -1)."""
    left, right = perturbation.flatten().tolist()
    assert abs(left + right) < 1e-12, "the change leaves the line that the gradient points along"
    return float(left)


def mixed_rows(
    label: Sequence[int],
    encourage: Sequence[bool],
    size_rms: Sequence[float],
    steps: Sequence[int],
    overshoot: Sequence[float],
    momentum: Sequence[float],
    *,
    projected: Sequence[bool] | None = None,
) -> Rows:
    """Rows that differ in every option, in float64; the paper's, unless `projected` says otherwise."""
    return Rows(
        label=torch.tensor(label),
        encourage=torch.tensor(encourage),
        size_rms=torch.tensor(size_rms, dtype=torch.float64),
        steps=torch.tensor(steps),
        overshoot=torch.tensor(overshoot, dtype=torch.float64),
        momentum=torch.tensor(momentum, dtype=torch.float64),
        projected=torch.tensor([False] * len(label) if projected is None else projected),
    )


def one_row(
    *,
    encourage: bool,
    steps: int,
    label: int = 0,
    size_rms: float = 0.25,
    overshoot: float = 1.0,
    momentum: float = 0.0,
    projected: bool = False,
) -> Rows:
    """A single row, in float64."""
    return mixed_rows([label], [encourage], [size_rms], [steps], [overshoot], [momentum], projected=[projected])
