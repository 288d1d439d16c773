"""Whether explanations do what they say, and whether a stranger reads in them what they are meant to show."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.explain import explain, paper_rows
from app.adversarial.loop import Network
from app.training.measures.estimates import Estimate, share_of

READABILITY_RHO = 0.075


@dataclass(frozen=True)
class ExplanationMeasures:
    """How explanations of the true class and of the runner-up turn out, unclamped.

    Attributes:
        images, rho: how many images, and the RMS asked for.
        raised_share: of g_explain+, those that raise their target's probability.
        lowered_share: of g_explain-, those that lower it.
        runner_up_gain: mean rise of the runner-up's probability by g_explain+.
        settled_share: of all, those that ended within 5% of rho.
    """

    images: int
    rho: float
    raised_share: float
    lowered_share: float
    runner_up_gain: float
    settled_share: float


@dataclass(frozen=True)
class Readability:
    """How often another network reads g_explain+ for the runner-up as the runner-up, on 8-bit pictures.

    Attributes:
        judge: the other network.
        images, rho: how many images, and the RMS asked for.
        read_before, read_after: shares read as the target in the image itself, and in the explained picture.
    """

    judge: str
    images: int
    rho: float
    read_before: Estimate
    read_after: Estimate


def explain_both_ways(network: Network, images: Tensor, label: Tensor, rho: float) -> dict[str, Tensor]:
    """For the true class and the runner-up of each image: gains by g_explain+ and g_explain-, and which settled.

    Returns `raised_by` and `lowered_by`, float (batch, 2), and `settled`, bool (batch, 4).
    """
    raised_by, lowered_by, settled = [], [], []
    for target in (label, runner_up(network, images)):
        up = explain(network, images, paper_rows(target, direction="encourage", rho=rho))
        down = explain(network, images, paper_rows(target, direction="discourage", rho=rho))
        raised_by.append(up.probability_after - up.probability_before)
        lowered_by.append(down.probability_before - down.probability_after)
        settled += [up.settled, down.settled]
    columns = {"raised_by": raised_by, "lowered_by": lowered_by, "settled": settled}
    return {name: torch.stack(parts, 1).cpu() for name, parts in columns.items()}


def explanation_measures(found: dict[str, Tensor], rho: float) -> ExplanationMeasures:
    """What `explain_both_ways` found, over all images, as shares."""
    return ExplanationMeasures(
        images=len(found["settled"]),
        rho=rho,
        raised_share=float((found["raised_by"] > 0).double().mean()),
        lowered_share=float((found["lowered_by"] > 0).double().mean()),
        runner_up_gain=float(found["raised_by"][:, 1].mean()),
        settled_share=float(found["settled"].double().mean()),
    )


def read_by_stranger(network: Network, judge: Network, images: Tensor, rho: float) -> dict[str, Tensor]:
    """Whether the judge reads the runner-up `before` and `after` g_explain+, clamped and rounded to 8 bits.

    Args:
        network: explains its own runner-up.
        judge: sees images of the same shape and has the same classes.
        images: (batch, channels, height, width) in [0, 1].
        rho: RMS of the explanations.
    """
    target = runner_up(network, images)
    found = explain(network, images, paper_rows(target, direction="encourage", rho=rho))
    picture = ((images + found.perturbation).clamp(0, 1) * 255).round() / 255
    with torch.no_grad():
        return {
            "before": (judge(images).argmax(1) == target).cpu(),
            "after": (judge(picture).argmax(1) == target).cpu(),
        }


def readability(found: dict[str, Tensor], judge: str, rho: float) -> Readability:
    """What `read_by_stranger` found, over all images, as shares."""
    return Readability(judge, len(found["after"]), rho, share_of(found["before"]), share_of(found["after"]))


def runner_up(network: Network, images: Tensor) -> Tensor:
    """The class with the second largest logit of each image, int64 (batch,)."""
    with torch.no_grad():
        second: Tensor = network(images).topk(2).indices[:, 1]
    return second
