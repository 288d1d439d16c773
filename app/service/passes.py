"""What is asked of the engine for one image: its logits, what to explain of it, and an explanation of each target."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.adversarial.explain import Direction, Explanation, fast_rows, judge, paper_rows
from app.adversarial.loop import require_finite
from app.adversarial.rows import Rows
from app.engine.device import Place
from app.engine.jobs import Ask, Observer
from app.engine.token import WorkToken
from app.errors import NotFinite, OptionError
from app.networks.domain import Domain
from app.service.options import COUNTERFACTUAL, ExplainOptions
from app.service.results.explanation import ChosenTarget
from app.service.targets import choose_rival, choose_targets


@dataclass(frozen=True)
class Chosen:
    """What is to be explained of one image.

    Attributes:
        logits: (classes,), of the image as it was uploaded, on the CPU.
        targets, roles: class ids, and the role of each.
        against: id of the class that each is contrasted with, None for no contrast.
    """

    logits: Tensor
    targets: list[int]
    roles: list[str]
    against: int | None

    def aims(self, label: Tensor | None = None) -> Aims:
        """What the search for each target, or for each of these, climbs: its cross entropy, or its margin."""
        label = torch.tensor(self.targets) if label is None else label
        classes = len(self.logits)
        if self.against is None:
            return Aims.alike(label, margin=False, classes=classes)
        rivals = torch.arange(classes).eq(self.against).expand(len(label), classes)
        return Aims(label, torch.ones_like(label, dtype=torch.bool), rivals)

    @property
    def predicted(self) -> int:
        """Id of the class that the image is read as."""
        return int(self.logits.argmax())

    def directions(self, options: ExplainOptions) -> list[Direction]:
        """Which way each target is explained: as asked for, but a counterfactual of what was predicted leads away."""
        if options.method != COUNTERFACTUAL:
            return [options.direction] * len(self.targets)
        return ["discourage" if target == self.predicted else "encourage" for target in self.targets]

    def reached(self, logits: Tensor, rows: Tensor | None = None) -> Tensor:
        """Whether a picture of each target (of those at `rows`) is its counterfactual; (rows, classes) to (rows,)."""
        target = torch.tensor(self.targets)
        target, read = target if rows is None else target[rows], logits.argmax(1)
        return torch.where(target == self.predicted, read != target, read == target)

    def probabilities(self) -> list[float]:
        """Of the targets, for the image as it was uploaded."""
        return [float(probability) for probability in self.logits.softmax(0)[self.targets]]

    def named(self, classes: Sequence[str]) -> tuple[ChosenTarget, ...]:
        """The targets with the names that classes have by their ids."""
        return tuple(ChosenTarget(classes[i], i, role) for i, role in zip(self.targets, self.roles, strict=True))


@dataclass(frozen=True)
class Found:
    """Every target explained at one size, everything on the CPU.

    Attributes:
        explanation: a row for each target, unclamped.
        steps_made: gradient steps of each row.
        cut_short: whether the deadline ended its search.
        looks: forward passes of each row at the most: at the end of the search, and at the picture that is sent.
        gradients: gradient evaluations of each row, where they are not the steps made.
    """

    explanation: Explanation
    steps_made: list[int]
    cut_short: list[bool]
    looks: int = 2
    gradients: list[int] | None = None


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


def domain_score(place: Place, domain: Domain | None, image: Tensor, token: WorkToken) -> float | None:
    """How far an image (channels, height, width) lies from a model's own; None of a model that cannot tell.

    Raises:
        Cancelled, DeadlineExceeded: the token is over.
    """
    if domain is None:
        return None
    return place.call(lambda: float(domain.scores(image[None].to(place.model.device))), token)


def choose(place: Place, image: Tensor, classes: Sequence[str], options: ExplainOptions, token: WorkToken) -> Chosen:
    """The classes to explain of one image (channels, height, width), by what the network reads it as.

    The class that they are contrasted with is none of them.

    Raises:
        OptionError: a target, or the class to contrast it with, is no class of the model; or both are one.
        NotFinite, Cancelled, DeadlineExceeded: as of `logits_of`.
    """
    logits = logits_of(place, image[None], token)[0]
    targets, roles = choose_targets(options.targets, classes, logits)
    if options.against is None:
        return Chosen(logits, targets, roles, None)
    against = choose_rival(options.against, classes, logits)
    kept = [(target, role) for target, role in zip(targets, roles, strict=True) if target != against]
    if not kept:
        raise OptionError(
            f"{classes[against]} cannot be contrasted with itself; give targets, or against, that are another class."
        )
    return Chosen(logits, [target for target, _ in kept], [role for _, role in kept], against)


def rows_of(label: Tensor, options: ExplainOptions, rho: float) -> Rows:
    """How each target, int64 (rows,), is searched for at one size."""
    make_rows = fast_rows if options.method == "fast" else paper_rows
    return make_rows(label, direction=options.direction, rho=rho, steps=options.most_steps)


def explain_targets(
    place: Place,
    image: Tensor,
    chosen: Chosen,
    options: ExplainOptions,
    sizes: Sequence[float],
    token: WorkToken,
    observe: Observer | None = None,
) -> list[Found]:
    """Explain one image (channels, height, width) for every target chosen at each size, all rows side by side.

    There may be an image of its own for each size, (sizes, channels, height, width).

    Raises:
        NotFinite: a logit or gradient is NaN or infinite.
        Cancelled: the token, asked at every step, said so.
        DeadlineExceeded: the same, unless the options ask for what was found by then.
    """
    label = torch.tensor(chosen.targets)
    rows = Rows.joined([rows_of(label, options, size) for size in sizes])
    aims = Aims.joined([chosen.aims()] * len(sizes))
    each = image.repeat_interleave(len(label), 0) if image.dim() == 4 else image.expand(len(rows), *image.shape)
    climbed = place.climb(Ask(each, rows, aims, cut_at_deadline=options.partial), token, observe)
    made = replace(rows, steps=climbed.steps_made)
    explanation = judge(made, climbed.looped, climbed.at_start, climbed.at_end)
    require_finite(explanation.non_finite_step)
    count, steps_made, cut_short = len(label), climbed.steps_made.tolist(), climbed.cut_short.tolist()
    return [
        Found(explanation[part], steps_made[part], cut_short[part])
        for part in (slice(first, first + count) for first in range(0, len(rows), count))
    ]
