"""Methods of explaining whose every pass goes through the engine, among those of other requests."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from app.adversarial.aims import Aims
from app.adversarial.loop import require_finite
from app.adversarial.rows import Rows
from app.comparison.attribution import Attribution, Cost, ExplainedBy
from app.comparison.methods import LOOKS_INSIDE, METHODS, Method
from app.engine.asked_network import AskedNetwork
from app.engine.device import Place
from app.engine.jobs import Ask
from app.engine.token import WorkToken

AskedMethod = Callable[[Tensor, Tensor], Attribution]
"""(images, target int64 (batch,)), on the CPU, to maps there."""


def asked_explanation(place: Place, rows: Callable[[Tensor], tuple[Rows, Aims]], token: WorkToken) -> ExplainedBy:
    """The adversarial change, on the CPU, unclamped.

    What it returns raises NotFinite, Cancelled and DeadlineExceeded.

    Args:
        place: of the request.
        rows: how each image is climbed, and what, by its target.
        token: asked before every step.
    """

    def explained(images: Tensor, target: Tensor) -> Tensor:
        looped = place.climb(Ask(images, *rows(target)), token).looped
        require_finite(looped.non_finite_step)
        return looped.perturbation

    return explained


def asked_method(place: Place, network: nn.Module, name: str, token: WorkToken) -> AskedMethod:
    """A method of `METHODS` whose passes are made through the engine; raises as `explain_beside` does."""
    method = METHODS[name]
    if name not in LOOKS_INSIDE:
        asked = AskedNetwork(network, place, token)
        return lambda images, target: method(asked, images, target)
    return lambda images, target: _called(place, network, method, images, target, token)


def contrasted(method: AskedMethod, against: int | None) -> AskedMethod:
    """The map of the target less that of another class, None for none: all methods are linear in the logits."""
    if against is None:
        return method

    def difference(images: Tensor, target: Tensor) -> Attribution:
        made, less = method(images, target), method(images, torch.full_like(target, against))
        cost = Cost(2 * made.cost.gradient_evaluations, 2 * made.cost.forward_passes)
        return Attribution(made.map - less.map, cost)

    return difference


def _called(
    place: Place, network: nn.Module, method: Method, images: Tensor, target: Tensor, token: WorkToken
) -> Attribution:
    """On the device's thread, as many targets at once as a step may hold."""
    device, made = place.model.device, []
    rows = place.rows_at_once
    for some, label in zip(torch.split(images, rows), torch.split(target, rows), strict=True):

        def work(some: Tensor = some, label: Tensor = label) -> Attribution:
            with torch.enable_grad():
                found = method(network, some.to(device), label.to(device))
            return Attribution(found.map.cpu(), found.cost)

        made.append(place.call(work, token, rows=len(some)))
    return Attribution(torch.cat([part.map for part in made]), made[0].cost)
