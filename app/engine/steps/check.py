"""Whether a back end computes what torch computes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.engine.steps.protocol import GradientStep
from app.errors import StepUnavailable

MAX_RELATIVE_ERROR = 1e-4

# A ReLU within rounding of its kink may fall to either side, and then moves one row's gradient by more than allowed.
# That is chance; an operator that is wrong is wrong every time. So a few draws, one of which must be right in all rows.
_DRAWS = 3


def require_same(
    step: GradientStep,
    reference: GradientStep,
    shape: Sequence[int],
    rows: int,
    *,
    device: torch.device | str = "cpu",
    allowed: float = MAX_RELATIVE_ERROR,
) -> None:
    """Hold `step`, asked for `rows` at a time, to `reference` on random images (channels, height, width) = `shape`.

    Raises:
        StepUnavailable: logits or gradient, by either drive, differ by more than `allowed` of their norm.
    """
    errors = []
    for seed in range(_DRAWS):
        errors.append(relative_error(step, reference, _random_images(shape, seed).to(device), rows))
        if errors[-1] < allowed:  # never true of NaN
            return
    raise StepUnavailable(
        f"The {step.name} step is off by {min(errors):.1e} of the norm in batches of {rows}, where {allowed:.0e} is"
        " allowed; another back end computes this network."
    )


def relative_error(step: GradientStep, reference: GradientStep, images: Tensor, rows: int) -> float:
    """Largest error of a row's logits or gradient, as a share of its norm; the first image by cross entropy.

    Args:
        step, reference: whose answers are compared.
        images: (2, channels, height, width); repeated until they fill a batch. The second climbs the margin.
        rows: of a batch that `step` is asked for.
    """
    logits = reference.logits(images)
    label = logits.argmin(1)  # the cross entropy of a class that the network is sure of has no gradient to speak of
    aims = Aims.alike(label, margin=False, classes=logits.shape[1])
    aims = Aims(label, torch.arange(2, device=label.device) == 1, aims.rivals)
    gradient = reference.logits_and_gradient(images, aims)[1]
    index = torch.arange(max(2, rows), device=label.device) % 2
    worst = images.new_zeros(())
    for part in torch.split(index, rows):
        got = step.logits_and_gradient(images[part], aims[part])
        pairs = (step.logits(images[part]), logits), (got[0], logits), (got[1], gradient)
        worst = torch.stack([worst, *(_row_errors(mine, right[part]).amax() for mine, right in pairs)]).amax()
    return float(worst)


def _row_errors(mine: Tensor, right: Tensor) -> Tensor:
    size = right.flatten(1).norm(dim=1).clamp_min(torch.finfo(right.dtype).tiny)
    errors: Tensor = (mine - right).flatten(1).norm(dim=1) / size
    return errors


def _random_images(shape: Sequence[int], seed: int) -> Tensor:
    return torch.rand(2, *shape, generator=torch.Generator().manual_seed(seed))
