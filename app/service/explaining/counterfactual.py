"""The nearest picture that is read as another class: of each target, of the smallest size that can be sent.

Sent are pictures of 8 bits a channel, at the upload's own size. A change that just flips the network's input may not
survive that. So it is made larger, and where that does not help, one of a larger size is searched for that is as much
of the target as can be, until the picture that is sent is read as it should be.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.adversarial.explain import FAST_STEPS, Explanation, explain, fast_rows, probability_of
from app.adversarial.nearest import nearest_flip, nearest_of_class
from app.adversarial.sizes import l2, rms
from app.engine.asked_step import AskedStep
from app.engine.device import Place
from app.engine.steps.protocol import StepNetwork
from app.engine.token import WorkToken
from app.errors import DeadlineExceeded
from app.images.fit import Carried, Reader
from app.service.explaining.pictures import read_sent
from app.service.options import ExplainOptions
from app.service.passes import Chosen, Found, logits_of
from app.service.uploads import Upload

_ENLARGED = (1.0, 1.005, 1.01, 1.02, 1.05)
_SEARCHED = (1.1, 1.2, 1.3, 1.4, 1.5, 1.75, 2.0, 3.0, 5.0)


def find_counterfactuals(
    place: Place, upload: Upload, chosen: Chosen, options: ExplainOptions, token: WorkToken
) -> Found:
    """For the class that was predicted the smallest change to any other; for each other target, that to it.

    A row whose class no change that was tried changes is as the image was, and has not settled. So are all rows where
    the deadline ended the search, and the options ask for what was found by then.

    Raises:
        Cancelled, DeadlineExceeded: the token, asked before every pass, said so.
    """
    target = torch.tensor(chosen.targets)
    images = upload.fitted.expand(len(target), *upload.fitted.shape)
    change, cost, cut_short = torch.zeros_like(images), _Cost([0] * len(target)), False
    try:
        change = _search(place, upload, images, chosen, cost, token)
        change = _sendable(place, upload, chosen, change, cost, token)
    except DeadlineExceeded:
        if not options.partial:
            raise
        change, cut_short = torch.zeros_like(images), True
    finishing = token.without_deadline() if options.partial else token
    logits = logits_of(place, images + change, finishing)
    settled = chosen.reached(logits)
    explanation = Explanation(
        perturbation=change,
        perturbation_rms=rms(change),
        perturbation_l2=l2(change),
        probability_before=chosen.logits.softmax(0)[target],
        probability_after=probability_of(logits, target),
        settled=settled,
        goal_met=settled,
        non_finite_step=torch.full_like(target, -1),
    )
    return Found(explanation, cost.steps_made, [cut_short] * len(target), looks=cost.looks + 2)


@dataclass
class _Cost:
    """What was asked of the network so far: gradient evaluations of each row, and forward passes of one at the most."""

    steps_made: list[int]
    looks: int = 0


def _search(place: Place, upload: Upload, images: Tensor, chosen: Chosen, cost: _Cost, token: WorkToken) -> Tensor:
    """The smallest change of each row, zero where none was found."""
    target, change = torch.tensor(chosen.targets), torch.zeros_like(images)
    flips = target == chosen.predicted
    for rows, search in ((flips, nearest_flip), (~flips, nearest_of_class)):
        index = rows.nonzero()[:, 0]
        if len(index):
            step = AskedStep(place, token, upload.changeable())
            found = search(StepNetwork(step, len(chosen.logits)), images[index], target[index])
            change[index] = found.images - images[index]
            cost.looks = max(cost.looks, step.forward_passes // len(index))
            for row in index.tolist():
                cost.steps_made[row] = step.gradient_evaluations // len(index)
    return change


def _sendable(place: Place, upload: Upload, chosen: Chosen, change: Tensor, cost: _Cost, token: WorkToken) -> Tensor:
    """Each change made larger, as little as need be, until the picture that is sent is read as it should be."""
    sent = change.clone()
    waiting = (rms(change) > 0).nonzero()[:, 0]
    for times in (*_ENLARGED, *_SEARCHED):
        if not len(waiting):
            break
        tried = times * change[waiting]
        if times in _SEARCHED:
            tried = _most_of_target(place, upload, chosen, rms(tried), waiting, token)
            for row in waiting.tolist():
                cost.steps_made[row] += FAST_STEPS
        shown = torch.stack([_as_sent(upload, one, token) for one in tried])
        reached = chosen.reached(logits_of(place, shown, token), waiting)
        cost.looks += 1
        sent[waiting[reached]] = tried[reached]
        waiting = waiting[~reached]
    return sent


def _as_sent(upload: Upload, change: Tensor, token: WorkToken) -> Tensor:
    """What the network is shown of the picture that is sent with this change, (channels, height, width)."""
    reader = Reader(upload.fitting)
    read_sent(upload, Carried(upload.fitting, change), [reader], token)
    return reader.finish()


def _most_of_target(
    place: Place, upload: Upload, chosen: Chosen, size_rms: Tensor, rows: Tensor, token: WorkToken
) -> Tensor:
    """The change of this size that is most of each row's target, or least of what was predicted."""
    target = torch.tensor(chosen.targets)[rows]
    options = fast_rows(target, direction="encourage")
    options = replace(options, encourage=target != chosen.predicted, size_rms=size_rms)
    network = StepNetwork(AskedStep(place, token, upload.changeable()), len(chosen.logits))
    return explain(network, upload.fitted.expand(len(rows), *upload.fitted.shape), options).perturbation
