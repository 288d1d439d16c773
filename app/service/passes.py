"""What runs on the device's own thread: passes through a network, on images that come from and return to the CPU."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.explain import Explanation, explain, paper_rows
from app.adversarial.loop import require_finite
from app.engine.token import WorkToken
from app.errors import NotFinite
from app.networks.checkpoint import Checkpoint
from app.service.options import ExplainOptions
from app.service.targets import choose_targets


@dataclass(frozen=True)
class Found:
    """One image explained, everything on the CPU.

    Attributes:
        logits: (classes,), of the image as it was uploaded.
        targets, roles: class ids, and the role of each.
        explanation: a row for each target, unclamped.
    """

    logits: Tensor
    targets: list[int]
    roles: list[str]
    explanation: Explanation


def logits_of(checkpoint: Checkpoint, images: Tensor) -> Tensor:
    """Logits (batch, classes) of images (batch, channels, height, width) in [0, 1].

    Raises:
        NotFinite: a logit is NaN or infinite.
    """
    with torch.no_grad():
        logits: Tensor = checkpoint.network(images.to(checkpoint.device)).cpu()
    if not logits.isfinite().all():
        raise NotFinite("The network gave a logit that is not finite; its weights or this image are at fault.")
    return logits


def explain_targets(
    checkpoint: Checkpoint, image: Tensor, options: ExplainOptions, rho: float, token: WorkToken
) -> Found:
    """Explain one image (channels, height, width) for every target asked for, all in one batch.

    Raises:
        NotFinite: a logit or gradient is NaN or infinite.
        OptionError: a target is no class of the model.
        Cancelled, DeadlineExceeded: the token, asked at every step, said so.
    """
    logits = logits_of(checkpoint, image[None])[0]
    targets, roles = choose_targets(options.targets, checkpoint.description.classes, logits)
    rows = paper_rows(
        torch.tensor(targets, device=checkpoint.device), direction=options.direction, rho=rho, steps=options.steps
    )
    images = image.to(checkpoint.device).expand(len(targets), *image.shape)
    explanation = explain(checkpoint.network, images, rows, observe=lambda *_: token.check())
    require_finite(explanation.non_finite_step)
    return Found(logits, targets, roles, explanation.cpu())
