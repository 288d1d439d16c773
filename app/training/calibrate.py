"""Make a network's probabilities mean what they say: temperature scaling, folded into its last layer.

Source: Guo, Pleiss, Sun, Weinberger 2017, "On Calibration of Modern Neural Networks". Networks trained on attacked
images doubt themselves on clean ones: their share of right answers is above the probability they give.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.training.data import Images
from app.training.start import names_of_head

_LOWEST, _HIGHEST = 1 / 20, 20.0  # temperatures looked at
_HALVINGS = 40
_BATCH = 100


@torch.no_grad()
def calibrate(network: nn.Module, images: Images) -> float:
    """Divide the logits by the temperature at which these images' labels are likeliest; returns it. No class changes.

    Args:
        network: in evaluation mode; its last layer makes the logits.
        images: not learned from.
    """
    device = next(network.parameters()).device
    batches = [slice(at, at + _BATCH) for at in range(0, len(images), _BATCH)]
    logits = torch.cat([network(images.floats(batch).to(device)).float().cpu() for batch in batches])
    found = best_temperature(logits, images.labels)
    for name in names_of_head(network):
        network.get_parameter(name).div_(found)
    return found


def best_temperature(logits: Tensor, label: Tensor) -> float:
    """The T between 1/20 and 20 with the smallest cross entropy of logits / T, (images, classes).

    The cross entropy is convex in 1 / T, so the sign of its slope says on which side of any T the best one lies.
    """
    low, high = math.log(1 / _HIGHEST), math.log(1 / _LOWEST)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if _slope(logits.double(), label, math.exp(middle)) > 0 else (middle, high)
    return math.exp(-(low + high) / 2)


def _slope(logits: Tensor, label: Tensor, scale: float) -> float:
    """Of the mean cross entropy of scale * logits, over the scale."""
    expected = (functional.softmax(scale * logits, 1) * logits).sum(1)
    return float((expected - logits.gather(1, label[:, None])[:, 0]).mean())
