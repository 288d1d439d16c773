"""How much change takes a network's answer away: what one image's robustness margin is held against."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.loop import Network
from app.adversarial.robustness import robustness

QUANTILES = 21  # the smallest, every 5%, and the largest: enough to say where an image stands
_DIGITS = 5


@dataclass(frozen=True)
class Margins:
    """Smallest changes found of what the network itself reads in each image; RMS in pixels of [0, 1].

    Attributes:
        images: how many.
        never_flipped: of them; they count as larger than any.
        flip_rms_quantiles: the smallest, each further 5%, and the largest of the changes that flip the class.
        chance_rms_quantiles: the same, of those that bring the class to a probability of 1 / classes.
    """

    images: int
    never_flipped: int
    flip_rms_quantiles: tuple[float, ...]
    chance_rms_quantiles: tuple[float, ...]


def smallest_of_prediction(network: Network, images: Tensor) -> dict[str, Tensor]:
    """RMS (batch,) of the nearest flip and the nearest loss to chance; infinite where none was found."""
    with torch.no_grad():
        predicted = network(images).argmax(1)
    found = robustness(network, images, predicted)
    return {"flip_rms": found.flip.perturbation_rms, "chance_rms": found.chance.perturbation_rms}


def margins(flip_rms: Tensor, chance_rms: Tensor) -> Margins:
    """The distribution of smallest changes, each (images,)."""
    return Margins(len(flip_rms), int(flip_rms.isinf().sum()), _quantiles(flip_rms), _quantiles(chance_rms))


def _quantiles(sizes: Tensor) -> tuple[float, ...]:
    """Of sizes that were found: a higher one stands in for those between it and the next."""
    shares = torch.linspace(0, 1, QUANTILES, dtype=torch.float64)
    found = torch.quantile(sizes.double(), shares, interpolation="higher")
    return tuple(round(size, _DIGITS) for size in found.tolist())
