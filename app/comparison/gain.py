"""What a map's pixels do when they are added to the image: how much of the class a change of a given size buys."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.explain import probability_of
from app.adversarial.loop import Network
from app.adversarial.sizes import per_row, rms


@dataclass(frozen=True)
class Gain:
    """What adding each map came to, (batch,), measured on the clamped image.

    Attributes:
        probability_gain: of the target, after less before.
        perturbation_rms: of what was changed after clamping.
        gain_per_rms: their quotient, 0 where nothing was changed.
    """

    probability_gain: Tensor
    perturbation_rms: Tensor
    gain_per_rms: Tensor


def gain_of(logits: Network, images: Tensor, target: Tensor, maps: Tensor, *, size_rms: float) -> Gain:
    """Scale each map to `size_rms`, add it to its image, clamp to [0, 1] and look.

    Args:
        logits: images to logits (batch, classes); asked without gradients.
        images: (batch, channels, height, width) in [0, 1].
        target: int64 (batch,).
        maps: (batch, channels or 1, height, width); of one channel, all channels are changed alike.
        size_rms: of the change before clamping.
    """
    size = rms(maps)
    scale = torch.where(size > 0, size_rms / size, torch.zeros_like(size))
    changed = (images + maps * per_row(scale, maps)).clamp(0, 1)
    with torch.no_grad():
        before, after = probability_of(logits(images), target), probability_of(logits(changed), target)
    moved = rms(changed - images)
    per_rms = torch.where(moved > 0, (after - before) / moved, torch.zeros_like(moved))
    return Gain(after - before, moved, per_rms)
