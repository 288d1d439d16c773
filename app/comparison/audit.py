"""How far an explanation can be made to lie, by a change of the image too small to see.

Woods, Chen, Teuscher 2019 show it for Grad-CAM; Ghorbani, Abid, Zou 2017 (arXiv 1710.10547) for maps of gradients. Two
goals: "move" keeps the class and takes the map as far from itself as it can; "keep" changes the class and leaves the
map as it was. What is reported is measured on a picture: clamped, rounded to 8 bits, explained by the method itself.
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from app.adversarial.attacks.ball import into_ball, random_in_ball, unit
from app.adversarial.batched import Batched
from app.adversarial.loop import Network
from app.adversarial.sizes import l2_per_rms, per_row, rms
from app.comparison.agreement import agreement, over_channels
from app.comparison.attribution import ExplainedBy
from app.comparison.smooth_maps import SmoothMap

Goal = Literal["move", "keep"]

_ROUNDING_RMS = 1 / (255 * math.sqrt(12))  # of values that lie anywhere between two levels
_CONFIDENCE = 0.1  # logits by which the class is to stand, or to fall: rounding must not undo it
_CLASS_WEIGHT = 10.0  # of a logit too few, beside a correlation, which is at most 1
_FIRST_STEP, _LAST_STEP = 0.5, 0.02  # shares of the radius
_MOMENTUM = 0.7

GRADIENTS_A_STEP = 4
"""Gradient evaluations that a step's time is like: 2.1 to 4.1 of our ResNets, by the map; it differentiates twice."""


class Climb(Protocol):
    """What is climbed in place of the explanation: a map like the method's that can be differentiated."""

    def pattern(self, images: Tensor, label: Tensor) -> Tensor:
        """The maps of images (batch, channels, height, width), without level and size; (batch, height, width)."""

    def slope(self, at: Tensor, label: Tensor, wanted: Tensor, goal: Goal) -> Tensor:
        """The gradient over the images of what is to fall: how much the goal is missed, by the map and by the class."""


@dataclass(frozen=True)
class AttackOptions:
    """What an attack on an explanation may do.

    Attributes:
        size_rms: of the change at the most.
        steps: gradient steps.
        look_every: steps between two looks at the map itself.
        seed: of the random start.
    """

    size_rms: float = 0.02
    steps: int = 60
    look_every: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Audit(Batched):
    """What was found for each image, on the CPU.

    Attributes:
        found: bool (batch,), a picture within the size whose class is as the goal says; the rest is of the clean
            image where there is none.
        pictures: (batch, channels, height, width), multiples of 1/255 in [0, 1].
        perturbation_rms: (batch,).
        class_before, class_after: int64 (batch,).
        map_before, map_after: (batch, channels or 1, height, width), each of the class predicted for its picture.
        spearman, ssim: float64 (batch,), of the two maps.
        center_distance: float64 (batch,), in pixels.
    """

    found: Tensor
    pictures: Tensor
    perturbation_rms: Tensor
    class_before: Tensor
    class_after: Tensor
    map_before: Tensor
    map_after: Tensor
    spearman: Tensor
    ssim: Tensor
    center_distance: Tensor


def audit(
    network: Network,
    explained_by: ExplainedBy,
    climb: Climb,
    images: Tensor,
    goal: Goal,
    options: AttackOptions = AttackOptions(),
) -> Audit:
    """Attack the explanation of each image (batch, channels, height, width) in [0, 1], multiples of 1/255.

    Args:
        network: from images to logits, in evaluation mode; it says which class an image is of.
        explained_by: the method, as it is served.
        climb: where to go from an image; the class and the map that it sees are this network's and this method's.
        images: pictures.
        goal: "move" the map, or "keep" it while the class changes.
        options: how hard it is tried.
    """
    radius = l2_per_rms(*images.shape[1:]) * math.sqrt(max(options.size_rms**2 - _ROUNDING_RMS**2, 0))
    label = _predicted(network, images)
    before = explained_by(images, label).detach()
    wanted = climb.pattern(images, label)
    best = _Best(network, explained_by, images, label, before, goal, options.size_rms)
    at = random_in_ball(images, radius / 10, torch.Generator().manual_seed(options.seed))
    velocity = torch.zeros_like(images)
    for step in range(options.steps):
        slope = climb.slope(at, label, wanted, goal)
        velocity = _MOMENTUM * velocity + (1 - _MOMENTUM) * unit(slope)
        share = _LAST_STEP + (_FIRST_STEP - _LAST_STEP) * (1 + math.cos(math.pi * step / options.steps)) / 2
        at = into_ball(at - radius * share * unit(velocity), images, radius)
        if (step + 1) % options.look_every == 0 or step + 1 == options.steps:
            best.look(at)
    return best.result()


class SmoothClimb:
    """The climb on a network of this process.

    Args:
        network: from images to logits, in evaluation mode, its weights without gradient.
        smooth_map: like the method's, of the same network.
    """

    def __init__(self, network: Network, smooth_map: SmoothMap) -> None:
        self._network, self._smooth_map = network, smooth_map

    def pattern(self, images: Tensor, label: Tensor) -> Tensor:
        """As `Climb` says."""
        with torch.enable_grad():
            return _pattern(self._smooth_map(images, label)).detach()

    def slope(self, at: Tensor, label: Tensor, wanted: Tensor, goal: Goal) -> Tensor:
        """As `Climb` says."""
        leaf = at.detach().requires_grad_()
        with torch.enable_grad():
            logits = self._network(leaf)
            of_label = logits.gather(1, label[:, None])[:, 0]
            lead = logits.scatter(1, label[:, None], -torch.inf).amax(1) - of_label  # above 0 where it has changed
            sign = 1 if goal == "move" else -1
            target = label if goal == "move" else logits.detach().argmax(1)
            correlation = (_pattern(self._smooth_map(leaf, target)) * wanted).flatten(1).sum(1)
            missed = sign * correlation + _CLASS_WEIGHT * (sign * lead + _CONFIDENCE).relu()
            (slope,) = torch.autograd.grad(missed.sum(), leaf)
        return torch.nan_to_num(slope)


class _Best:
    """The best picture of each image so far."""

    def __init__(
        self,
        network: Network,
        explained_by: ExplainedBy,
        images: Tensor,
        label: Tensor,
        map_before: Tensor,
        goal: Goal,
        size_rms: float,
    ) -> None:
        self._network, self._explained_by, self._goal, self._size_rms = network, explained_by, goal, size_rms
        self._images, self._label, self._map_before = images, label, map_before
        self._pictures, self._maps = images.clone(), map_before.clone()
        self._found = torch.zeros_like(label, dtype=torch.bool)
        self._score = torch.full(label.shape, -torch.inf, dtype=torch.float64, device=images.device)

    def look(self, candidate: Tensor) -> None:
        """Take a candidate where it is fair and better."""
        picture = (candidate * 255).round() / 255
        label = _predicted(self._network, picture)
        maps = self._explained_by(picture, label).detach()
        correlation = agreement(self._map_before, maps).spearman
        score = -correlation if self._goal == "move" else correlation
        right = (label == self._label) if self._goal == "move" else (label != self._label)
        fair = right & (rms(picture - self._images) <= self._size_rms) & score.isfinite()
        better = fair & (score > self._score)
        self._found |= fair
        self._score = torch.where(better, score, self._score)
        self._pictures = torch.where(per_row(better, picture), picture, self._pictures)
        self._maps = torch.where(per_row(better, maps), maps, self._maps)

    def result(self) -> Audit:
        agrees = agreement(self._map_before, self._maps)
        return Audit(
            found=self._found.cpu(),
            pictures=self._pictures.cpu(),
            perturbation_rms=rms(self._pictures - self._images).cpu(),
            class_before=self._label.cpu(),
            class_after=_predicted(self._network, self._pictures).cpu(),
            map_before=self._map_before.cpu(),
            map_after=self._maps.cpu(),
            spearman=agrees.spearman.cpu(),
            ssim=agrees.ssim.cpu(),
            center_distance=agrees.center_distance.cpu(),
        )


def _pattern(maps: Tensor) -> Tensor:
    """A map without its level and size, so that the product of two is their correlation; as heatmaps average."""
    maps = over_channels(maps)
    return unit(maps - maps.mean((1, 2), keepdim=True))


def _predicted(network: Network, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images).argmax(1)
