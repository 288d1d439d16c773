"""What is asked of the engine for one image: its logits, and an explanation of each target."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.adversarial.explain import Explanation, fast_rows, judge, paper_rows
from app.adversarial.loop import require_finite
from app.engine.device import Place
from app.engine.jobs import Ask, Observer
from app.engine.token import WorkToken
from app.errors import NotFinite
from app.service.options import ExplainOptions
from app.service.targets import choose_targets


@dataclass(frozen=True)
class Found:
    """One image explained, everything on the CPU.

    Attributes:
        logits: (classes,), of the image as it was uploaded.
        targets, roles: class ids, and the role of each.
        explanation: a row for each target, unclamped.
        steps_made: gradient steps of each row.
    """

    logits: Tensor
    targets: list[int]
    roles: list[str]
    explanation: Explanation
    steps_made: list[int]


def logits_of(place: Place, images: Tensor, token: WorkToken) -> Tensor:
    """Logits (batch, classes) of images (batch, channels, height, width) in [0, 1].

    Raises:
        NotFinite: a logit is NaN or infinite.
        Cancelled, DeadlineExceeded: the token is over.
    """
    logits = place.look(images, token)
    if not logits.isfinite().all():
        raise NotFinite("The network gave a logit that is not finite; its weights or this image are at fault.")
    return logits


def explain_targets(
    place: Place,
    image: Tensor,
    classes: tuple[str, ...],
    options: ExplainOptions,
    rho: float,
    token: WorkToken,
    observe: Observer | None = None,
) -> Found:
    """Explain one image (channels, height, width) for every target asked for, a row each.

    Raises:
        NotFinite: a logit or gradient is NaN or infinite.
        OptionError: a target is no class of the model.
        Cancelled, DeadlineExceeded: the token, asked at every step, said so.
    """
    logits = logits_of(place, image[None], token)[0]
    targets, roles = choose_targets(options.targets, classes, logits)
    label = torch.tensor(targets)
    make_rows = fast_rows if options.method == "fast" else paper_rows
    rows = make_rows(label, direction=options.direction, rho=rho, steps=options.most_steps)
    images = image.expand(len(targets), *image.shape)
    climbed = place.climb(Ask(images, rows, Aims.alike(label, margin=False, classes=len(classes))), token, observe)
    explanation = judge(rows, climbed.looped, climbed.at_start, climbed.at_end)
    require_finite(explanation.non_finite_step)
    return Found(logits, targets, roles, explanation, climbed.steps_made.tolist())
