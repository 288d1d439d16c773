"""How far explanations move a probability for their size, as the service measures it."""

from dataclasses import asdict, dataclass
from itertools import product
from typing import get_args

import torch
from torch import Tensor

from app.adversarial.explain import Direction, fast_change, probability_of
from app.adversarial.loop import Network
from app.adversarial.sizes import rms
from app.networks.calibration import GainCalibration

USUAL_SHARE = 0.95
_BATCH = 25


@dataclass(frozen=True)
class GainMeasures:
    """Least usual gains, and of how many images they were found on."""

    calibration: GainCalibration
    images: int

    def as_scores(self) -> dict[str, object]:
        """As plain JSON."""
        return {**asdict(self.calibration), "usual_share": USUAL_SHARE, "images": self.images}


def calibrate_gain(network: Network, images: Tensor, rho: float) -> GainMeasures:
    """Explain the predicted class and the runner-up both ways, and find what is reached by all but few.

    Args:
        network: images to logits.
        images: held out, (n, channels, height, width) in [0, 1].
        rho: RMS of the explanations.
    """
    found: dict[str, list[Tensor]] = {}
    for batch in torch.split(images, _BATCH):
        with torch.no_grad():
            predicted, other = network(batch).topk(2).indices.T
        for direction, (role, target) in product(get_args(Direction), (("predicted", predicted), ("other", other))):
            found.setdefault(f"{direction}_{role}", []).append(gains(network, batch, target, direction, rho))
    least = {name: float(torch.cat(parts).quantile(1 - USUAL_SHARE)) for name, parts in found.items()}
    return GainMeasures(GainCalibration(rho=rho, **least), len(images))


def gains(network: Network, images: Tensor, target: Tensor, direction: Direction, rho: float) -> Tensor:
    """Probability moved as asked for, over the RMS of the change, float64 (batch,); on pictures of 8 bits."""
    change = fast_change(network, images, target, direction=direction, rho=rho)
    picture = ((images + change).clamp(0, 1) * 255).round() / 255
    with torch.no_grad():
        moved = probability_of(network(picture), target) - probability_of(network(images), target)
    size = rms(picture - images)
    per_rms = torch.where(size > 0, moved / size, torch.zeros_like(moved)).double().cpu()
    return per_rms if direction == "encourage" else -per_rms
