"""A network that is asked through the engine, for code of others that calls a network and wants gradients of it."""

from typing import Any

import torch
from torch import Tensor, nn

from app.engine.device import Place
from app.engine.token import WorkToken


class AskedNetwork(nn.Module):
    """Logits (batch, classes) of images (batch, channels, height, width), both on the CPU, differentiable once.

    Forward passes are looks, which share steps with other requests' rows. The way back is a call for every part of the
    batch that a step may hold; each makes the forward pass again, so that no more than one part's graph is in memory.
    Either raises what `Place.look` does.

    Args:
        network: on the place's device, in evaluation mode, its weights without gradient.
        place: of the request.
        token: of the request, asked before every part.
    """

    def __init__(self, network: nn.Module, place: Place, token: WorkToken) -> None:
        super().__init__()
        self._network, self._place, self._token = network, place, token

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = _Asked.apply(images, self)
        return logits

    def logits(self, images: Tensor) -> Tensor:
        """Without a way back."""
        return self._place.look(images, self._token)

    def pulled_back(self, images: Tensor, over_logits: Tensor) -> Tensor:
        """The gradient over the images of what has this gradient over their logits."""
        rows = self._place.rows_at_once
        parts = zip(torch.split(images, rows), torch.split(over_logits, rows), strict=True)
        return torch.cat([self._of_part(some, over) for some, over in parts])

    def _of_part(self, images: Tensor, over_logits: Tensor) -> Tensor:
        def work() -> Tensor:
            with torch.enable_grad():
                leaf = images.to(self._place.model.device).requires_grad_()
                logits = self._network(leaf)
                pulled = (logits * over_logits.to(logits)).sum()  # handed to torch apart, it would load a compiler
            (gradient,) = torch.autograd.grad(pulled, leaf)
            return gradient.cpu()

        return self._place.call(work, self._token, rows=len(images))


class _Asked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, images: Tensor, network: AskedNetwork) -> Tensor:  # noqa: ANN401 - torch's, open to additions
        ctx.save_for_backward(images)
        ctx.network = network
        return network.logits(images.detach())

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, over_logits: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - as above
        (images,) = ctx.saved_tensors
        network: AskedNetwork = ctx.network
        return network.pulled_back(images.detach(), over_logits), None
