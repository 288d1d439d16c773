"""What each explanation came to, measured on the very picture that is sent."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from app.adversarial.sizes import l2, rms
from app.networks.checkpoint import Checkpoint
from app.service.explaining.beside import Beside, agreement_of
from app.service.explaining.sent import Sent
from app.service.facts import prediction_of
from app.service.options import ADVERSARIAL, COUNTERFACTUAL, ExplainOptions
from app.service.passes import Chosen, Found
from app.service.results.explanation import TargetExplanation
from app.service.results.quality import MethodCost
from app.service.uploads import Upload


def judge_all(
    upload: Upload,
    chosen: Chosen,
    found: Sequence[Found],
    beside: Beside,
    sent: Sequence[Sent],
    logits_after: Tensor,
    options: ExplainOptions,
    sizes: Sequence[float],
    checkpoint: Checkpoint,
) -> list[TargetExplanation]:
    """Each target at the size asked for, which other methods lie beside; then each at the next size.

    Args:
        upload, chosen, options, checkpoint: of the request.
        found, sent, sizes: what was found at each size, and what is sent of it.
        beside: other methods' maps.
        logits_after: (sizes x targets, classes), of the pictures that are sent.
    """
    judged: list[TargetExplanation] = []
    after = torch.split(logits_after, len(chosen.targets))
    for number, (one, shown, logits, rho) in enumerate(zip(found, sent, after, sizes, strict=True)):
        near = beside if number == 0 else Beside.nothing()
        judged += _judge(upload, chosen, one, near, shown, logits, options, rho, checkpoint)
    return judged


def _judge(
    upload: Upload,
    chosen: Chosen,
    found: Found,
    beside: Beside,
    sent: Sent,
    logits_after: Tensor,
    options: ExplainOptions,
    rho: float,
    checkpoint: Checkpoint,
) -> Iterator[TargetExplanation]:
    """What each explanation came to, measured on the picture sent; logits_after (targets, classes)."""
    classes = checkpoint.description.classes
    change = sent.fitted - upload.fitted
    change_rms, change_l2 = rms(change).tolist(), l2(change).tolist()
    before, after = chosen.logits.softmax(0), logits_after.softmax(1)
    class_before, against = int(before.argmax()), chosen.against
    others = {name: MethodCost(cost.gradient_evaluations, cost.forward_passes) for name, cost in beside.costs.items()}
    directions, reached = chosen.directions(options), chosen.reached(logits_after)
    agreements = agreement_of(found.explanation.perturbation, beside) if others else [None] * len(after)
    for row, (target, role) in enumerate(zip(chosen.targets, chosen.roles, strict=True)):
        gain = float(after[row, target] - before[target])
        margins = None
        if against is not None:
            margins = tuple(float(logits[target] - logits[against]) for logits in (chosen.logits, logits_after[row]))
            gain = margins[1] - margins[0]
        class_after = int(after[row].argmax())
        converged = bool(found.explanation.settled[row]) and not found.cut_short[row]
        direction = directions[row]
        size_rms, moved = rho, gain > 0 if direction == "encourage" else gain < 0
        if options.method == COUNTERFACTUAL:
            size_rms, moved = float(found.explanation.perturbation_rms[row]), bool(reached[row])
        yield TargetExplanation(
            target=classes[target],
            target_id=target,
            role=role,
            against=None if against is None else classes[against],
            against_id=against,
            direction=direction,
            method=options.method,
            probability_before=float(before[target]),
            probability_after=float(after[row, target]),
            margin_before=None if margins is None else margins[0],
            margin_after=None if margins is None else margins[1],
            rho=size_rms,
            perturbation_rms=change_rms[row],
            perturbation_l2=change_l2[row],
            steps=found.steps_made[row],
            cut_short=found.cut_short[row],
            converged=converged,
            goal_met=converged and moved,
            changed_class_to=None if class_after == class_before else classes[class_after],
            methods={ADVERSARIAL: MethodCost((found.gradients or found.steps_made)[row], found.looks), **others},
            agreement=agreements[row],
            top_after=prediction_of(checkpoint, logits_after[row], options.top_k).top,
            pictures=sent.pictures[row],
        )
