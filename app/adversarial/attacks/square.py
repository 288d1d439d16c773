"""Square (Andriushchenko et al. 2020), L2: random search that asks for logits only, so no masked gradient stops it.

The change is kept on the surface of the ball; each query moves its mass from one random square into another.
"""

import math
from functools import cache

import torch
from torch import Tensor

from app.adversarial.attacks.ball import answers_right, unit
from app.adversarial.drives import margin
from app.adversarial.loop import Network
from app.adversarial.sizes import per_row

QUERIES = 5000  # of AutoAttack

_FIRST_SHARE = 0.8  # of the image's pixels, in a square
_HALVED_AFTER = (10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000)  # of 10,000 queries
_TINY = 1e-12


def square(
    network: Network,
    images: Tensor,
    label: Tensor,
    radius_l2: float,
    *,
    random: torch.Generator,
    queries: int = QUERIES,
) -> Tensor:
    """Images within `radius_l2` that are not classified as `label`, the clean ones where none was found.

    Args:
        network: from images to logits; no gradient is asked of it.
        images: (batch, channels, height, width) in [0, 1].
        label: int64 (batch,).
        radius_l2: of the ball.
        random: of everything drawn, on the CPU.
        queries: how often each image is asked for, at most.
    """
    found = images.clone()
    row = torch.arange(len(images), device=images.device)
    change = torch.stack([_first_change(image, random) for image in images]) if len(images) else images
    best = torch.full_like(label, -torch.inf, dtype=images.dtype)
    kept = change
    for query in range(queries):
        if not len(row):
            break
        if query:
            side = _side(query / queries, images.shape[2:])
            change = torch.stack([_moved(part, side, random) for part in kept / radius_l2])
        candidate = (images[row] + unit(change) * radius_l2).clamp(0, 1)
        change = candidate - images[row]
        with torch.no_grad():
            logits = network(candidate)
        standing, gain = answers_right(logits, label[row]), margin(logits, label[row])
        better = gain > best
        kept, best = torch.where(per_row(better, change), change, kept), torch.where(better, gain, best)
        if not standing.all():
            found[row[~standing]] = candidate[~standing]
            row, kept, best = row[standing], kept[standing], best[standing]
    return found


def _side(done: float, size: tuple[int, ...] | torch.Size) -> int:
    """Side in pixels, odd, of the squares after a share of the queries."""
    share = _FIRST_SHARE / 2 ** sum(done * 10_000 > after for after in _HALVED_AFTER)
    side = max(round(math.sqrt(share * size[0] * size[1])), 3)
    return min(side | 1, *(length - 1 + length % 2 for length in size))


@cache
def _bump(side: int) -> Tensor:
    """Two hills, one of them negative, that fill a square (side, side); of L2 norm 1."""
    bump = torch.cat([_hill(side // 2, side), -_hill(side - side // 2, side)])
    return bump / bump.square().sum().sqrt()


def _hill(height: int, width: int) -> Tensor:
    """Nested squares around the middle, each adding 1 / (its reach + 1)²."""
    hill = torch.zeros(height, width, dtype=torch.float64)
    for reach in range(max(height, width) // 2 + 1):
        top, left = max(height // 2 - reach, 0), max(width // 2 - reach, 0)
        hill[top : height // 2 + reach + 1, left : width // 2 + reach + 1] += 1 / (reach + 1) ** 2
    return hill


def _integers(high: int, count: int, random: torch.Generator) -> list[int]:
    return torch.randint(0, high, (count,), generator=random).tolist()


def _signs(channels: int, like: Tensor, random: torch.Generator) -> Tensor:
    return (2 * torch.randint(0, 2, (channels, 1, 1), generator=random) - 1).to(like)


def _oriented(side: int, like: Tensor, random: torch.Generator) -> Tensor:
    bump = _bump(side).to(like)
    return bump.T if _integers(2, 1, random)[0] else bump


def _first_change(image: Tensor, random: torch.Generator) -> Tensor:
    """Bumps side by side over the image, of random signs."""
    channels, height, width = image.shape
    side = max(min(height, width) // 5, 2)
    change = torch.zeros_like(image)
    for top in range(0, height - side + 1, side):
        for left in range(0, width - side + 1, side):
            bump = _oriented(side, image, random) * _signs(channels, image, random)
            change[:, top : top + side, left : left + side] = bump
    return change


def _moved(change: Tensor, side: int, random: torch.Generator) -> Tensor:
    """A change of norm 1 with what two squares held gathered in the first, around a bump; the second is left empty."""
    channels, height, width = change.shape
    (top, top2), (left, left2) = (_integers(length - side + 1, 2, random) for length in (height, width))
    first = (slice(None), slice(top, top + side), slice(left, left + side))
    second = (slice(None), slice(top2, top2 + side), slice(left2, left2 + side))
    both = torch.zeros_like(change)
    both[first], both[second] = 1, 1
    budget = ((1 - change.square().sum()).clamp(min=0) / channels + (change * both).square().sum((1, 2))).sqrt()
    old = change[first] / (change[first].square().sum().sqrt() + _TINY)
    new = _oriented(side, change, random) * _signs(channels, change, random) + old
    new = new / (new.square().sum((1, 2), keepdim=True).sqrt() + _TINY) * budget[:, None, None]
    moved = change.clone()
    moved[second] = 0
    moved[first] = new
    return moved
