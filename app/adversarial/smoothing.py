"""A size that no change can be smaller than and flip the answer: randomized smoothing (Cohen, Rosenfeld, Kolter 2019).

The promise is of another classifier than the network: of the smoothed one, which answers with the class that the
network gives most often to the image with normal noise on it. Where that class has a probability p above 1/2, no
change below sigma * (the normal quantile of p), in L2, takes it away from the smoothed classifier. What p is, is
estimated from below: the promise fails for at most a share alpha of all draws of noise.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SELECTED_BY = 100  # draws that choose the class; others, so that the estimate is of a class chosen beforehand
_HALVINGS = 100


@dataclass(frozen=True)
class Smoothing:
    """How a certificate is drawn.

    Attributes:
        sigma: standard deviation of the noise, in pixels of [0, 1].
        draws: of noise, to estimate the class's probability with.
        alpha: the share of certificates that may be wrong.
    """

    sigma: float = 0.1
    draws: int = 1000
    alpha: float = 0.001

    def __post_init__(self) -> None:
        if self.sigma <= 0 or self.draws < 1 or not 0 < self.alpha < 1:
            raise ValueError("sigma must be above 0, draws at least 1 and alpha between 0 and 1")

    @property
    def looks(self) -> int:
        """Forward passes of one certificate."""
        return SELECTED_BY + self.draws


@dataclass(frozen=True)
class Certificate:
    """What is promised of the smoothed classifier at one image.

    Attributes:
        class_id: what it answers; -1 where the network gave mostly no numbers.
        hits: draws in which the network gave that class.
        probability_at_least: of that class under noise, with confidence 1 - alpha.
        radius_l2: no change below it takes the class away; None where it abstains, because the class may not have half.
    """

    class_id: int
    hits: int
    probability_at_least: float
    radius_l2: float | None


def certify(
    logits_of: Callable[[Tensor], Tensor],
    image: Tensor,
    smoothing: Smoothing,
    *,
    random: torch.Generator,
    rows_at_once: int = 100,
) -> Certificate:
    """The certificate of one image.

    Args:
        logits_of: the network, from images (batch, channels, height, width) to logits (batch, classes).
        image: (channels, height, width) in [0, 1]; with noise its pixels go beyond.
        smoothing: noise, draws and confidence.
        random: of the noise, on the CPU.
        rows_at_once: noisy images that are shown to the network together.
    """

    def answers(draws: int) -> Tensor:
        """The class of each draw, -1 where the network gave no number."""
        given = []
        for start in range(0, draws, rows_at_once):
            shape = (min(rows_at_once, draws - start), *image.shape)
            noise = torch.randn(shape, generator=random, dtype=image.dtype).to(image.device)
            with torch.no_grad():
                logits = logits_of(image + smoothing.sigma * noise)
            given.append(torch.where(logits.isfinite().all(1), logits.argmax(1), -1))
        return torch.cat(given)

    class_id = int(answers(SELECTED_BY).mode().values)
    hits = int((answers(smoothing.draws) == class_id).sum()) if class_id >= 0 else 0
    at_least = clopper_pearson_lower(hits, smoothing.draws, smoothing.alpha)
    return Certificate(class_id, hits, at_least, radius_l2(at_least, smoothing.sigma))


def radius_l2(probability: float, sigma: float) -> float | None:
    """What no change is smaller than and takes away a class of this probability under noise; None at 1/2 and below."""
    if probability <= 1 / 2:
        return None
    return sigma * float(torch.special.ndtri(torch.tensor(probability, dtype=torch.float64)))


def clopper_pearson_lower(hits: int, draws: int, alpha: float) -> float:
    """The exact one-sided lower bound of a probability: where so many hits or more have probability alpha.

    Bisected from below, so that rounding makes it smaller and never larger.
    """
    if hits == 0:
        return 0.0
    count = torch.arange(hits, draws + 1, dtype=torch.float64)
    whole = torch.tensor(draws, dtype=torch.float64)
    ways = torch.lgamma(whole + 1) - torch.lgamma(count + 1) - torch.lgamma(whole - count + 1)
    low, high = 0.0, hits / draws
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        probability = torch.tensor(middle, dtype=torch.float64)
        tail = (ways + torch.xlogy(count, probability) + torch.xlogy(whole - count, 1 - probability)).logsumexp(0).exp()
        if float(tail) > alpha:
            high = middle
        else:
            low = middle
    return low
