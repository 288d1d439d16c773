"""FAB (Croce & Hein 2020, "Minimally distorted adversarial examples"): looks for the nearest image that is misread.

One run serves every size: an image falls at each radius from its nearest change on. Targeted, L2, within [0, 1].
"""

import torch
from torch import Tensor

from app.adversarial.attacks.ball import answers_right
from app.adversarial.attacks.objectives import likeliest_others
from app.adversarial.loop import Network
from app.adversarial.planes import onto_plane, product
from app.adversarial.sizes import l2, per_row

STEPS = 100  # of AutoAttack

_OVERSHOOT = 1.05
_TOWARDS_START = 0.1  # the largest share of the projection of the clean image in a step
_BACK = 0.9  # what is left of a change that has succeeded, before the search goes on
_LINE_SEARCH = 10
_TINY = 1e-12


def fab(network: Network, images: Tensor, label: Tensor, *, targets: int = 9, steps: int = STEPS) -> Tensor:
    """The nearest misread image found for each row, the clean one where none was.

    Args:
        network: from images to logits, in evaluation mode.
        images: (batch, channels, height, width) in [0, 1].
        label: int64 (batch,).
        targets: how many other classes are tried, likeliest first.
        steps: for each of them.
    """
    nearest, nearest_l2 = images.clone(), torch.full_like(label, torch.inf, dtype=images.dtype)
    for target in likeliest_others(network, images, label, targets):
        _search(network, images, label, target, steps, nearest, nearest_l2)
    return _line_search(network, images, label, nearest)


def _search(
    network: Network, images: Tensor, label: Tensor, target: Tensor, steps: int, nearest: Tensor, nearest_l2: Tensor
) -> None:
    """Search towards one class a row, and keep what is nearer than `nearest`, in place."""
    at = images.clone()
    for _ in range(steps):
        lead, slope = _lead(network, at, label, target)
        level = product(slope, at) - lead  # the plane on which the linearized classes meet
        to_plane = onto_plane(at, slope, level) - at
        start_to_plane = onto_plane(images, slope, level) - images
        near, far = l2(to_plane), l2(start_to_plane)
        share = per_row((near / (near + far + _TINY)).clamp(max=_TOWARDS_START), at)
        at = (1 - share) * (at + _OVERSHOOT * to_plane) + share * (images + _OVERSHOOT * start_to_plane)
        at = at.clamp(0, 1)
        with torch.no_grad():
            fooled = ~answers_right(network(at), label)
        size = l2(at - images)
        nearer = fooled & (size < nearest_l2)
        nearest[nearer], nearest_l2[nearer] = at[nearer], size[nearer]
        at = torch.where(per_row(fooled, at), images + _BACK * (at - images), at)


def _lead(network: Network, at: Tensor, label: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """z_target - z_label (batch,), and its gradient over the image."""
    with torch.enable_grad():
        leaf = at.detach().requires_grad_()
        logits = network(leaf)
        lead = logits.gather(1, target[:, None])[:, 0] - logits.gather(1, label[:, None])[:, 0]
        (slope,) = torch.autograd.grad(lead.sum(), leaf)
    return lead.detach(), slope


def _line_search(network: Network, images: Tensor, label: Tensor, nearest: Tensor) -> Tensor:
    """Bisect between each clean image and its nearest misread one; only images that are misread are kept."""
    low = torch.zeros(len(images), dtype=images.dtype, device=images.device)
    high = torch.ones_like(low)
    for _ in range(_LINE_SEARCH):
        middle = (low + high) / 2
        at = images + per_row(middle, images) * (nearest - images)
        with torch.no_grad():
            fooled = ~answers_right(network(at), label)
        low, high = torch.where(fooled, low, middle), torch.where(fooled, middle, high)
    return torch.where(per_row(high < 1, images), images + per_row(high, images) * (nearest - images), nearest)
