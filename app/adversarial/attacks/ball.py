"""The L2 ball around an image, cut by [0, 1], and whether an image in it is still classified right."""

import torch
from torch import Tensor

from app.adversarial.loop import Network
from app.adversarial.sizes import l2, per_row

_SLACK = 1 + 1e-4  # rounding of a norm over some thousand float32 numbers
_TINY = 1e-12  # keeps a row without direction from dividing by zero


def unit(direction: Tensor) -> Tensor:
    """Each row of (batch, ...) divided by its L2 norm; zero stays zero."""
    return direction / per_row(l2(direction).clamp(min=_TINY), direction)


def into_ball(candidate: Tensor, images: Tensor, radius_l2: float) -> Tensor:
    """Each candidate moved straight towards its image until within the radius, then clamped to [0, 1].

    Clamping brings no pixel further from an image that is itself in [0, 1], so the result is in the ball too.
    """
    change = candidate - images
    scale = (radius_l2 / l2(change).clamp(min=_TINY)).clamp(max=1)
    return (images + change * per_row(scale, change)).clamp(0, 1)


def random_in_ball(images: Tensor, radius_l2: float, random: torch.Generator) -> Tensor:
    """Each image moved by the radius in a random direction, then clamped; drawn on the CPU, for any device alike."""
    noise = torch.randn(images.shape, generator=random, dtype=images.dtype).to(images.device)
    return into_ball(images + unit(noise) * radius_l2, images, radius_l2)


def answers_right(logits: Tensor, label: Tensor) -> Tensor:
    """Bool (batch,): the label is predicted; logits that are not finite are no right answer."""
    return logits.isfinite().all(1) & (logits.argmax(1) == label)


def stands(network: Network, candidate: Tensor, images: Tensor, label: Tensor, radius_l2: float) -> Tensor:
    """Bool (batch,): the candidate is classified right, or is no fair attack, being outside the ball or [0, 1]."""
    with torch.no_grad():
        right = answers_right(network(candidate), label)
    fair = (l2(candidate - images) <= radius_l2 * _SLACK) & ((candidate >= 0) & (candidate <= 1)).flatten(1).all(1)
    return right | ~fair
