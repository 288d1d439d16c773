"""A network that learned nothing true: the same layers, from random weights, with shuffled labels learned by heart."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

ENOUGH = 0.98
_BATCH = 50
_MAX_STEPS = 600
_LEARNING_RATE = 2e-3


@dataclass(frozen=True)
class Memorized:
    """A network in evaluation mode, and the share of the shuffled labels that it gives."""

    network: nn.Module
    share: float


def learn_by_heart(
    network: nn.Module,
    images: Tensor,
    label: Tensor,
    seed: int,
    tell: Callable[[float], None] = lambda share: None,
) -> Memorized:
    """Train without attacks, by Adam, until `ENOUGH` of the labels are given or it has been at it for long.

    Args:
        network: random where it is to begin from random weights; stays as it is.
        images: (n, channels, height, width) in [0, 1].
        label: int64 (n,); they are shuffled here.
        seed: of the shuffling and of the order.
        tell: told after every epoch what share of the labels it gives.
    """
    random = torch.Generator().manual_seed(seed)
    shuffled = label[torch.randperm(len(label), generator=random).to(label.device)]
    learner = copy.deepcopy(network).requires_grad_().train()
    optimizer = torch.optim.Adam(learner.parameters(), _LEARNING_RATE)
    share = 0.0
    batches = -(-len(images) // _BATCH)
    for _ in range(-(-_MAX_STEPS // batches)):
        for some in torch.split(torch.randperm(len(images), generator=random), _BATCH):
            at = some.to(images.device)
            optimizer.zero_grad()
            loss = functional.cross_entropy(learner(images[at]), shuffled[at])
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            optimizer.step()
        share = _given(learner.eval(), images, shuffled)
        tell(share)
        if share >= ENOUGH:
            break
        learner.train()
    return Memorized(learner.eval().requires_grad_(False), share)


def _given(network: nn.Module, images: Tensor, label: Tensor) -> float:
    with torch.no_grad():
        read = torch.cat([network(some).argmax(1) for some in torch.split(images, _BATCH)])
    return float((read == label).double().mean())
