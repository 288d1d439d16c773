"""The nearest image that is read as another class, as a class that is named, or as its own no more surely than chance.

Walks on the surface where the goal is just met (see `boundary`) set out towards the likeliest other classes, and from
what two coarse minimal attacks find. Those that come off best go on: a few steps are enough to tell, and some thirty to
be as near as a walk gets.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from app.adversarial.aims import Aims
from app.adversarial.attacks.objectives import likeliest_others
from app.adversarial.batched import Batched
from app.adversarial.boundary import Paths, Surface, step
from app.adversarial.drives import cross_entropy, margin
from app.adversarial.explain import explain, fast_rows, probability_of
from app.adversarial.loop import Network
from app.adversarial.minimal import minimal_attack
from app.adversarial.sizes import l2, l2_per_rms, per_row, rms
from app.adversarial.stop_rules import StopRule, while_better_than_random, while_class_stands

RIVALS = 9  # other classes that are looked at, likeliest first; all of CIFAR-10's
KEPT_RIVALS = 5
ROUNDS = ((7, 6), (3, 8), (2, 16))  # (paths of an image that go on, steps of each), one round after the other
STARTS = 2  # from a minimal attack by either drive
START_STEPS = 20  # of the minimal attacks from whose ends walks set out
START_RMS = 0.05  # of the explanation from which the walk to a named class sets out
RESTART_RMS = 0.02  # of the random changes from which further searches set out

FLIP_EVALUATIONS = RIVALS + STARTS * START_STEPS + sum(paths * steps for paths, steps in ROUNDS)
CHANCE_EVALUATIONS = STARTS * START_STEPS + sum(min(1 + STARTS, paths) * steps for paths, steps in ROUNDS)
"""Gradient evaluations of each image at the most, without restarts."""

FIRST_BEYOND, LAST_BEYOND = 0.02, 0.0005  # of a change's size, how far a step aims beyond the surface

_OUTWARD = (1.0, 1.0005, 1.002, 1.01)  # a pass that rounds otherwise may need a hair's breadth more

FLIPPED = Surface(1, lambda _: 0.0, lambda logits, label: logits.argmax(1) != label)
TURNED = Surface(-1, lambda _: 0.0, lambda logits, label: logits.argmax(1) == label, edged=True)
AT_CHANCE = Surface(1, math.log, lambda logits, label: probability_of(logits, label) <= 1 / logits.shape[1])


@dataclass(frozen=True)
class Nearest(Batched):
    """The nearest images found that meet a goal; each was looked at once more, as it is.

    Attributes:
        images: (batch, channels, height, width), in [0, 1]; the original where none was found.
        logits: (batch, classes), at `images`.
        perturbation_rms, perturbation_l2: (batch,), of the difference; 0 where the original meets the goal itself,
            infinite where none was found.
        largest_rms_tried: (batch,), at which the network answered with finite numbers.
        goal_met: bool (batch,), the sizes are finite.
    """

    images: Tensor
    logits: Tensor
    perturbation_rms: Tensor
    perturbation_l2: Tensor
    largest_rms_tried: Tensor
    goal_met: Tensor


Open = Callable[[Network, Tensor, Tensor, Tensor], Paths]
"""(network, images, label, where to begin) to the paths of all images, as many of each, the first of each first."""


def nearest_flip(
    network: Network, images: Tensor, label: Tensor, *, restarts: int = 0, random: torch.Generator | None = None
) -> Nearest:
    """The nearest image that is not read as `label`.

    Args:
        network: from images to logits, in evaluation mode.
        images: (batch, channels, height, width) in [0, 1].
        label: int64 (batch,), the class to be lost.
        restarts: further searches, from random changes.
        random: of the restarts, on the CPU; needed where there are any.
    """
    return _search(network, images, label, FLIPPED, _open_flip, restarts, random)


def nearest_of_class(
    network: Network, images: Tensor, target: Tensor, *, restarts: int = 0, random: torch.Generator | None = None
) -> Nearest:
    """The nearest image that is read as `target`, int64 (batch,); otherwise as `nearest_flip`."""
    return _search(network, images, target, TURNED, _open_turn, restarts, random)


def nearest_chance(
    network: Network, images: Tensor, label: Tensor, *, restarts: int = 0, random: torch.Generator | None = None
) -> Nearest:
    """The nearest image at which `label` has a probability of 1 / classes or less ("BTR"); as `nearest_flip`."""
    return _search(network, images, label, AT_CHANCE, _open_chance, restarts, random)


def _search(
    network: Network,
    images: Tensor,
    label: Tensor,
    surface: Surface,
    open_paths: Open,
    restarts: int,
    random: torch.Generator | None,
) -> Nearest:
    with torch.no_grad():
        logits = network(images)
    met = logits.isfinite().all(1) & surface.met(logits, label)
    found, size_l2 = images.clone(), torch.where(met, 0, torch.inf).to(images.dtype)
    farthest_l2 = torch.zeros_like(size_l2)
    standing = (~met).nonzero()[:, 0]
    mine, lost = images[standing], label[standing]
    for search in range(1 + restarts if len(standing) else 0):
        begin = mine if search == 0 else (mine + _noise(mine, random)).clamp(0, 1)
        paths = _walked(network, open_paths(network, mine, lost, begin), surface, len(mine))
        farthest_l2[standing] = torch.maximum(farthest_l2[standing], _by_image(paths.farthest_l2, len(mine)).amax(0))
        best = _most_promising(paths, 1, len(mine))
        nearest, reached = _confirmed(network, best, surface)
        now_l2 = torch.where(reached, l2(nearest - mine), torch.inf)
        nearer = now_l2 < size_l2[standing]
        found[standing[nearer]], size_l2[standing[nearer]] = nearest[nearer], now_l2[nearer]
    with torch.no_grad():
        logits = network(found)
    goal_met, per_rms = size_l2.isfinite(), l2_per_rms(*images.shape[1:])
    return Nearest(found, logits, size_l2 / per_rms, size_l2, farthest_l2 / per_rms, goal_met)


def _walked(network: Network, paths: Paths, surface: Surface, count: int) -> Paths:
    """The paths of `count` images after all rounds."""
    beyond = torch.logspace(math.log10(FIRST_BEYOND), math.log10(LAST_BEYOND), sum(steps for _, steps in ROUNDS))
    made = 0
    for kept, steps in ROUNDS:
        paths = _most_promising(paths, kept, count)
        for share in beyond[made : made + steps].tolist():
            paths = step(network, paths, surface, share)
        made += steps
    return paths


def _confirmed(network: Network, paths: Paths, surface: Surface) -> tuple[Tensor, Tensor]:
    """Each path's best point, or one a hair's breadth further out, and whether it meets the goal when looked at."""
    found, reached = paths.best, torch.zeros_like(paths.best_l2, dtype=torch.bool)
    for share in _OUTWARD:
        candidate = (paths.origin + share * (paths.best - paths.origin)).clamp(0, 1) if share > 1 else paths.best
        with torch.no_grad():
            logits = network(candidate)
        met = logits.isfinite().all(1) & surface.met(logits, paths.aims.label) & ~reached
        found = torch.where(per_row(met, found), candidate, found)
        reached |= met
        if bool((reached | paths.best_l2.isinf()).all()):
            break
    return found, reached & paths.best_l2.isfinite()


def _open_flip(network: Network, images: Tensor, label: Tensor, begin: Tensor) -> Paths:
    classes = _classes(network, images)
    rivals = likeliest_others(network, images, label, RIVALS)
    paths = Paths.joined([Paths.starting(images, _towards(classes, label, rival), begin) for rival in rivals])
    paths = _most_promising(step(network, paths, FLIPPED, FIRST_BEYOND), KEPT_RIVALS, len(images))
    others = []
    for at in _attacked(network, images, label, begin, while_class_stands):
        (rival,) = likeliest_others(network, at, label, 1)
        others.append(Paths.starting(images, _towards(classes, label, rival), at))
    return Paths.joined([paths, *others])


def _open_chance(network: Network, images: Tensor, label: Tensor, begin: Tensor) -> Paths:
    classes = _classes(network, images)
    aims = Aims.alike(label, margin=False, classes=classes)
    starts = [begin, *_attacked(network, images, label, begin, while_better_than_random)]
    return Paths.joined([Paths.starting(images, aims, at) for at in starts])


def _open_turn(network: Network, images: Tensor, target: Tensor, begin: Tensor) -> Paths:
    classes = _classes(network, images)
    aims = Aims.alike(target, margin=True, classes=classes)
    more = explain(network, images, fast_rows(target, direction="encourage", rho=START_RMS)).perturbation
    return Paths.joined([Paths.starting(images, aims, at) for at in (begin, (begin + more).clamp(0, 1))])


def _attacked(network: Network, images: Tensor, label: Tensor, begin: Tensor, goal: StopRule) -> list[Tensor]:
    """What a coarse minimal attack by either drive comes to."""
    return [
        (
            images
            + minimal_attack(
                network, images, label, follow_rule=goal, drive=drive, steps=START_STEPS, start=begin - images
            ).perturbation
        ).clamp(0, 1)
        for drive in (cross_entropy, margin)
    ]


def _classes(network: Network, images: Tensor) -> int:
    with torch.no_grad():
        return network(images[:1]).shape[1]


def _towards(classes: int, label: Tensor, rival: Tensor) -> Aims:
    """To lose the label to one rival."""
    rivals = functional.one_hot(rival, classes).bool()
    return Aims(label, torch.ones_like(label, dtype=torch.bool), rivals)


def _most_promising(paths: Paths, kept: int, count: int) -> Paths:
    """Of each of `count` images the paths that are nearest, or seem to be."""
    sizes = _by_image(paths.size_l2, count)
    chosen = sizes.topk(min(kept, len(sizes)), dim=0, largest=False).indices
    return paths[(chosen * count + torch.arange(count, device=sizes.device)).flatten()]


def _by_image(values: Tensor, count: int) -> Tensor:
    """One value a path to (paths of each, images)."""
    return values.view(-1, count)


def _noise(images: Tensor, random: torch.Generator | None) -> Tensor:
    noise = torch.randn(images.shape, generator=random, dtype=images.dtype).to(images.device)
    return noise * per_row(RESTART_RMS / rms(noise), noise)
