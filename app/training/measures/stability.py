"""How explanations change under noise that nobody sees, as the service measures it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import product
from typing import get_args

import torch
from torch import Tensor

from app.adversarial.explain import Direction, fast_change
from app.adversarial.loop import Network
from app.comparison.attribution import ExplainedBy
from app.comparison.stability import stability
from app.networks.calibration import StabilityCalibration
from app.training.measures.gain import USUAL_SHARE

_BATCH = 2  # each image is explained under all its noise at once


@dataclass(frozen=True)
class StabilityMeasures:
    """What is usual, and of how many images it was found."""

    calibration: StabilityCalibration
    images: int

    def as_scores(self) -> dict[str, object]:
        """As plain JSON."""
        return {**asdict(self.calibration), "usual_share": USUAL_SHARE, "images": self.images}


def calibrate_stability(
    network: Network, images: Tensor, rho: float, tell: Callable[[int], None] = lambda images: None
) -> StabilityMeasures:
    """Explain the predicted class and the runner-up both ways, under noise, and find what few pass.

    Args:
        network: images to logits.
        images: held out, (n, channels, height, width) in [0, 1].
        rho: RMS of the explanations.
        tell: told of each batch that is done, how many images it was.
    """
    sensitivity, correlation = [], []
    for batch in torch.split(images, _BATCH):
        with torch.no_grad():
            targets = network(batch).topk(2).indices.T
        for target, direction in product(targets, get_args(Direction)):
            found = stability(_explained(network, direction, rho), batch, target)
            sensitivity.append(found.max_sensitivity.double())
            correlation.append(torch.nan_to_num(found.repeatability.spearman_least))
        tell(len(batch))
    most = float(torch.cat(sensitivity).quantile(USUAL_SHARE))
    least = float(torch.cat(correlation).quantile(1 - USUAL_SHARE))
    return StabilityMeasures(StabilityCalibration(rho, most, least), len(images))


def _explained(network: Network, direction: Direction, rho: float) -> ExplainedBy:
    return lambda images, target: fast_change(network, images, target, direction=direction, rho=rho)
