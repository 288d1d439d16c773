"""A model's step that is asked through the engine: code that searches by gradients runs on a request's own thread."""

import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.engine.device import Place
from app.engine.token import WorkToken


class AskedStep:
    """The step of a place's model, images and answers on the CPU; each method raises what `Place.look` does.

    Forward passes are looks, which share steps with other requests' rows. Gradients are calls, one for every part of a
    batch that a step may hold, between which others' steps are made.

    Args:
        place: of the request.
        token: of the request, asked before every part.
        changeable: (height, width), 1 where pixels may change and 0 where gradients are to be 0, as on a letterbox's
            bars, which no upload can change; None for everywhere.

    Attributes:
        gradient_evaluations, forward_passes: images that it was asked for so far.
    """

    def __init__(self, place: Place, token: WorkToken, changeable: Tensor | None = None) -> None:
        self._place, self._token, self._changeable = place, token, changeable
        self.gradient_evaluations = self.forward_passes = 0

    @property
    def name(self) -> str:
        return self._place.model.step.name

    def logits(self, images: Tensor) -> Tensor:
        self.forward_passes += len(images)
        return self._place.look(images, self._token)

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        self.gradient_evaluations += len(images)
        rows = self._place.rows_at_once
        parts = [slice(start, start + rows) for start in range(0, len(images), rows)]
        answers = [self._of_part(images[part], aims[part]) for part in parts]
        return torch.cat([logits for logits, _ in answers]), torch.cat([gradient for _, gradient in answers])

    def _of_part(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        model = self._place.model

        def work() -> tuple[Tensor, Tensor]:
            logits, gradient = model.step.logits_and_gradient(images.to(model.device), aims.to(model.device))
            return logits.cpu(), gradient.cpu()

        logits, gradient = self._place.call(work, self._token, rows=len(images))
        return logits, gradient if self._changeable is None else gradient * self._changeable
