"""Muon: convolutions move along the nearest orthogonal matrix to their momentum, so every direction learns alike.

Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"
(kellerjordan.github.io/posts/muon), whose quintic iteration's coefficients are used here.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from app.training.recipe import Muon, Recipe

_A, _B, _C = 3.4445, -4.7750, 2.0315
_TINY_NORM = 1e-7  # keeps a gradient of zero from dividing by zero


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """SGD, or where the recipe says so Muon for the convolutions and SGD for the rest.

    A group's `rate_factor`, where it has one, is its rate over the schedule's.
    """
    if recipe.muon is not None:
        return MuonAndSGD(network, recipe, recipe.muon)
    return torch.optim.SGD(
        network.parameters(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        nesterov=recipe.nesterov,
        weight_decay=recipe.weight_decay,
    )


class MuonAndSGD(torch.optim.Optimizer):
    """Muon for weights of convolutions, SGD with Nesterov's momentum for everything else."""

    def __init__(self, network: nn.Module, recipe: Recipe, muon: Muon) -> None:
        convolutions = [module.weight for module in network.modules() if isinstance(module, nn.Conv2d)]
        known = {id(weight) for weight in convolutions}
        rest = [parameter for parameter in network.parameters() if id(parameter) not in known]
        groups = [
            {
                "params": convolutions,
                "rate_factor": muon.rate / recipe.learning_rate,
                "momentum": muon.momentum,
                "weight_decay": muon.weight_decay,
                "iterations": muon.iterations,
            },
            {
                "params": rest,
                "rate_factor": 1.0,
                "momentum": recipe.momentum,
                "weight_decay": recipe.weight_decay,
                "iterations": 0,
            },
        ]
        super().__init__(groups, {"lr": recipe.learning_rate})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # the base may return
        """Move every weight by its gradient; a `closure` is not called."""
        del closure
        for group in self.param_groups:
            rate, decay, iterations = group["lr"], group["weight_decay"], group["iterations"]
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                gradient = weight.grad if iterations else weight.grad + decay * weight
                update = self._with_momentum(weight, gradient, group["momentum"])
                if iterations:
                    update = orthogonalized(update.flatten(1), iterations).view_as(weight)
                    weight.mul_(1 - rate * decay)
                weight.sub_(update, alpha=rate)

    def _with_momentum(self, weight: Tensor, gradient: Tensor, momentum: float) -> Tensor:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        velocity: Tensor = state["momentum_buffer"]
        velocity.mul_(momentum).add_(gradient)
        return gradient + momentum * velocity


def orthogonalized(matrix: Tensor, iterations: int) -> Tensor:
    """Near U V^T of the singular value decomposition U S V^T of (rows, columns); scaled where there are more rows.

    Each iteration brings singular values, after division by the Frobenius norm, closer to 1; 0 stays 0. With more rows
    than columns the result is scaled by sqrt(rows / columns), so that outputs change as much as in other layers.
    """
    rows, columns = matrix.shape
    x = matrix / (matrix.norm() + _TINY_NORM)
    wide: Tensor = x if rows <= columns else x.T
    for _ in range(iterations):
        gram = wide @ wide.T
        wide = _A * wide + (_B * gram + _C * gram @ gram) @ wide
    return wide if rows <= columns else wide.T * math.sqrt(rows / columns)
