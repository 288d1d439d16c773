"""What a network is worth: accuracy, how far it withstands attack, and whether its explanations do what they say."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.adversarial.area import accuracy_robustness_area
from app.adversarial.drives import margin
from app.adversarial.explain import PAPER_RHO, explain, paper_rows
from app.adversarial.minimal import MinimalAttack, minimal_attack, smaller
from app.adversarial.sizes import l2_per_rms
from app.adversarial.stop_rules import while_better_than_random
from app.training.data import Images

AUTHORS_SEED = 1776  # the authors' test images are the first of this permutation
Z_95 = 1.959964  # two-sided 95% of the normal distribution


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
class Measures:
    """Scores of one network. Sizes are RMS in pixels of [0, 1]; times `l2_per_rms` they are L2.

    Attributes:
        accuracy, accuracy_low, accuracy_high: share of the whole test split, with its 95% Wilson interval.
        accuracy_images: images in that split.
        attacked_images, attack_steps, attack_seed: what the areas were measured on.
        attack_ara, btr_ara: the paper's, driven by cross entropy.
        worst_case_ara: per image the smaller of the cross entropy and the margin drive.
        worst_case_ara_l2: the same area with sizes as L2.
        never_flipped: attacked images that withstood the largest size tried, which they count as.
        explanations: whether they do what they say.
    """

    accuracy: float
    accuracy_low: float
    accuracy_high: float
    accuracy_images: int
    attacked_images: int
    attack_steps: int
    attack_seed: int
    attack_ara: float
    btr_ara: float
    worst_case_ara: float
    worst_case_ara_l2: float
    never_flipped: int
    explanations: ExplanationMeasures


Report = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and how many there are."""


def evaluate(
    network: nn.Module,
    test: Images,
    *,
    images: int = 200,
    steps: int = 100,
    rho: float = PAPER_RHO,
    batch_size: int = 100,
    report: Report = lambda what, done, of: None,
) -> Measures:
    """Measure a frozen network on a test split.

    Args:
        network: from images in [0, 1] to logits, in evaluation mode.
        test: the whole test split; accuracy is taken over all of it.
        images: how many are attacked and explained: the first of `torch.manual_seed(1776); torch.randperm(n)`, as the
            authors chose theirs.
        steps: of each minimal attack; the paper's 450 find somewhat smaller changes.
        rho: RMS size of the explanations.
        batch_size: images at a time.
        report: told of every batch done.
    """
    correct = _count_correct(network, test, batch_size, report)
    low, high = wilson_interval(correct, len(test))
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(AUTHORS_SEED))[:images]
    x, label = test.floats(chosen), test.labels[chosen]
    classes = int(network(x[:1]).shape[1])

    attack, by_margin, btr = [], [], []
    for start in range(0, len(x), batch_size):
        part, its_label = x[start : start + batch_size], label[start : start + batch_size]
        attack.append(minimal_attack(network, part, its_label, steps=steps))
        by_margin.append(minimal_attack(network, part, its_label, steps=steps, drive=margin))
        btr.append(minimal_attack(network, part, its_label, steps=steps, follow_rule=while_better_than_random))
        report("attacking", start + len(part), len(x))
    worst = [smaller(a, b) for a, b in zip(attack, by_margin, strict=True)]
    worst_case_ara = _area(worst, classes)
    return Measures(
        accuracy=correct / len(test),
        accuracy_low=low,
        accuracy_high=high,
        accuracy_images=len(test),
        attacked_images=len(x),
        attack_steps=steps,
        attack_seed=AUTHORS_SEED,
        attack_ara=_area(attack, classes),
        btr_ara=_area(btr, classes),
        worst_case_ara=worst_case_ara,
        worst_case_ara_l2=worst_case_ara * l2_per_rms(*x.shape[1:]),
        never_flipped=sum(int((~part.goal_met).sum()) for part in worst),
        explanations=_measure_explanations(network, x, label, rho, batch_size, report),
    )


def wilson_interval(successes: int, count: int) -> tuple[float, float]:
    """95% interval of a share (Wilson 1927)."""
    share = successes / count
    centre = share + Z_95**2 / (2 * count)
    spread = Z_95 * math.sqrt(share * (1 - share) / count + Z_95**2 / (4 * count**2))
    return (centre - spread) / (1 + Z_95**2 / count), (centre + spread) / (1 + Z_95**2 / count)


def _count_correct(network: nn.Module, test: Images, batch_size: int, report: Report) -> int:
    correct = 0
    with torch.no_grad():
        for start in range(0, len(test), batch_size):
            part = slice(start, start + batch_size)
            correct += int((network(test.floats(part)).argmax(1) == test.labels[part]).sum())
            report("classifying", min(start + batch_size, len(test)), len(test))
    return correct


def _area(attacks: list[MinimalAttack], classes: int) -> float:
    sizes = torch.cat([part.perturbation_rms for part in attacks])
    return accuracy_robustness_area(sizes, classes, torch.cat([part.largest_rms_tried for part in attacks]))


def _measure_explanations(
    network: nn.Module, x: Tensor, label: Tensor, rho: float, batch_size: int, report: Report
) -> ExplanationMeasures:
    raised, lowered, gains, settled = [], [], [], []
    for start in range(0, len(x), batch_size):
        part = x[start : start + batch_size]
        with torch.no_grad():
            runner_up = network(part).topk(2).indices[:, 1]
        for target in (label[start : start + batch_size], runner_up):
            up = explain(network, part, paper_rows(target, direction="encourage", rho=rho))
            down = explain(network, part, paper_rows(target, direction="discourage", rho=rho))
            gain = up.probability_after - up.probability_before
            raised.append(gain > 0)
            lowered.append(down.probability_after < down.probability_before)
            settled += [up.settled, down.settled]
        gains.append(gain)  # of the runner-up, the last of the two targets
        report("explaining", start + len(part), len(x))

    def share(parts: list[Tensor]) -> float:
        return float(torch.cat(parts).float().mean())

    return ExplanationMeasures(len(x), rho, share(raised), share(lowered), share(gains), share(settled))
