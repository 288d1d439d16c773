"""The paper's Lipschitz regularizer and its adaptive weight psi."""

import math

import torch
from torch import Tensor, nn

from app.adversarial.drives import margin
from app.training.recipe import Lipschitz


def lipschitz_penalty(logits: Tensor, images: Tensor, label: Tensor, tandem: Tensor, drawn: Tensor) -> Tensor:
    """Mean over batch and pixels of |ds/dx|**2, differentiable for the weights (L_adv with z = 2).

    Args:
        logits: (batch, classes), computed from `images`, which require gradient.
        images: (batch, channels, height, width).
        label: int64 (batch,).
        tandem: bool (batch,), where s is the margin f_label - max of the others.
        drawn: int64 (batch,), elsewhere, the one logit that s is.
    """
    one_logit = logits.gather(1, drawn[:, None])[:, 0]
    score = torch.where(tandem, -margin(logits, label), one_logit)
    (slope,) = torch.autograd.grad(score.sum(), images, create_graph=True)
    return slope.square().mean()


def draw_scores(options: Lipschitz, count: int, classes: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """What s is for each image: (tandem bool (count,), drawn int64 (count,)) of `lipschitz_penalty`."""
    tandem = torch.rand(count, generator=random) < options.tandem
    return tandem, torch.randint(classes, (count,), generator=random)


def psi(options: Lipschitz, pressure: float) -> float:
    """psi_start * exp(psi_growth * R)."""
    return options.psi_start * math.exp(options.psi_growth * pressure)


def next_pressure(options: Lipschitz, pressure: float, loss: float) -> float:
    """R after a batch whose cross entropy was `loss`: max(0, R + clip(-ln(loss / target), -0.01, 1))."""
    change = -math.log(max(loss, 1e-12) / options.target_loss)
    return max(0.0, pressure + min(1.0, max(-0.01, change)))


class WeightAverage:
    """Exponential moving average of a network's weights and buffers, kept in a second network of the same build."""

    def __init__(self, network: nn.Module, average: nn.Module, decay: float) -> None:
        self.decay = decay
        self.average = average.eval().requires_grad_(False)
        self.average.load_state_dict(network.state_dict())

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the network after `step`; young averages forget faster, or the start would linger."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for kept, new in zip(self.average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)
