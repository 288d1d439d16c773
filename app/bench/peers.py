"""How others search for the same change: each makes every image more of its label, at an RMS or within it.

Each takes (network, images (batch, channels, height, width) in [0, 1], label int64 (batch,), rho, steps) and returns
the changed images. The network is called as torch does it unaided; its weights want no gradient.
"""

import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.adversarial.explain import PAPER_OVERSHOOT
from app.adversarial.sizes import l2_per_rms, per_row, rms

Peer = Callable[[nn.Module, Tensor, Tensor, float, int], Tensor]

_REACH = 2.5  # radii that their equal steps sum to: as Madry et al. 2017 choose it, and enough to get to the border


def authors_loop(network: nn.Module, images: Tensor, label: Tensor, rho: float, steps: int) -> Tensor:
    """The paper's loop as its authors run it (Woods, Chen, Teuscher 2019): all rows in one batch, step by step."""
    d = torch.zeros_like(images)
    for t in range(steps):
        x = (images + d).detach().requires_grad_()
        (g,) = torch.autograd.grad(functional.cross_entropy(network(x), label, reduction="sum"), x)
        u = torch.where(per_row(rms(d) < rho, d), -g, -d)
        u = u / per_row(1e-8 + rms(u), u)
        d = d + u * (rho * PAPER_OVERSHOOT * (steps - t) / (steps * (steps + 1) / 2))
    return images + d


def torchattacks_pgd_l2(network: nn.Module, images: Tensor, label: Tensor, rho: float, steps: int) -> Tensor:
    """PGDL2 of torchattacks, targeted, from the image itself."""
    from torchattacks import PGDL2  # type: ignore[import-untyped]  # noqa: PLC0415 (a peer: need not be installed)

    eps = _radius_l2(images, rho)
    attack = PGDL2(network, eps=eps, alpha=_REACH * eps / steps, steps=steps, random_start=False)
    attack.set_mode_targeted_by_label(quiet=True)
    changed: Tensor = attack(images, label)
    return changed


def foolbox_pgd_l2(network: nn.Module, images: Tensor, label: Tensor, rho: float, steps: int) -> Tensor:
    """The L2 PGD of foolbox, targeted, from the image itself; its search alone, without its judging afterwards."""
    with warnings.catch_warnings(action="ignore"):  # of scipy, whose old names it imports
        from foolbox.attacks.projected_gradient_descent import L2ProjectedGradientDescentAttack  # noqa: PLC0415 (a peer)
        from foolbox.criteria import TargetedMisclassification  # noqa: PLC0415 (as above)
        from foolbox.models.pytorch import PyTorchModel  # noqa: PLC0415 (as above)

    model = PyTorchModel(network, bounds=(0, 1), device=images.device)
    attack = L2ProjectedGradientDescentAttack(steps=steps, rel_stepsize=_REACH / steps, random_start=False)
    return attack.run(model, images, TargetedMisclassification(label), epsilon=_radius_l2(images, rho))


def captum_pgd(network: nn.Module, images: Tensor, label: Tensor, rho: float, steps: int) -> Tensor:
    """The PGD of captum within an L2 ball, targeted; its steps are along the gradient's sign, which is all it has."""
    from captum.robust import PGD  # type: ignore[import-untyped]  # noqa: PLC0415 (as the other peers)

    attack = PGD(network, nn.CrossEntropyLoss(reduction="none"), lower_bound=0.0, upper_bound=1.0)
    with warnings.catch_warnings(action="ignore"):  # that it has set requires_grad itself
        changed: Tensor = attack.perturb(
            images,
            radius=_radius_l2(images, rho),
            step_size=_REACH * rho / steps,
            step_num=steps,
            target=label,
            targeted=True,
            norm="L2",
        )
    return changed


AUTHORS = "the authors' loop"

_OTHERS: Mapping[str, tuple[str, Peer]] = {
    "torchattacks PGDL2": ("torchattacks", torchattacks_pgd_l2),
    "foolbox L2PGD": ("foolbox", foolbox_pgd_l2),
    "captum PGD": ("captum", captum_pgd),
}


def installed_peers() -> dict[str, Peer]:
    """Those that can be run here, the authors' loop first."""
    here = {name: peer for name, (package, peer) in _OTHERS.items() if find_spec(package) is not None}
    return {AUTHORS: authors_loop, **here}


def missing_peers() -> list[str]:
    """Those whose package is not installed."""
    return [name for name in _OTHERS if name not in installed_peers()]


def _radius_l2(images: Tensor, rho: float) -> float:
    channels, height, width = images.shape[1:]
    return rho * l2_per_rms(channels, height, width)
