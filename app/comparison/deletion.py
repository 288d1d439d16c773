"""Deletion and insertion (Petsiuk, Das, Saenko 2018, arXiv 1806.07421): does the class go, and come, with its pixels?

An area says little alone: it depends on the image and the network. So each stands beside what pixels in random order
come to, and in the order of plain edges, which know nothing of the network.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from app.adversarial.explain import probability_of
from app.adversarial.loop import Network
from app.comparison.agreement import gaussian_window
from app.comparison.attribution import MAX_PASSES, require_within
from app.comparison.gradients import ROWS_AT_ONCE

Baseline = Literal["zero", "blurred"]

BLUR_SIDE, BLUR_SIGMA = 11, 5.0  # in pixels: of the paper's code
_SOBEL = ((-1.0, 0.0, 1.0), (-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0))


@dataclass(frozen=True)
class DeletionOptions:
    """The paper deletes to black, and inserts into a blurred image.

    Attributes:
        steps: points of each curve after its first, each of an equal share of the pixels.
        deleted_to, inserted_into: the image without its pixels: black, or blurred.
        random_orders: how many are averaged for comparison.
        seed: of the random orders.
    """

    steps: int = 32
    deleted_to: Baseline = "zero"
    inserted_into: Baseline = "blurred"
    random_orders: int = 3
    seed: int = 0

    def __post_init__(self) -> None:
        require_within("steps", self.steps, 1, MAX_PASSES, "a number of points of a curve")
        require_within("random_orders", self.random_orders, 1, 100, "a number of random orders")


BASELINE_ORDERS = 1 + DeletionOptions.random_orders
PASSES_OF_AN_ORDER = 2 * (DeletionOptions.steps + 1)
"""Forward passes of an image, by both curves of the usual options; the baselines' orders are edges and random ones."""


@dataclass(frozen=True)
class Areas:
    """Areas under the target's probability against the share of pixels, in [0, 1], float64.

    Attributes:
        explanations: (methods, batch), most important pixels first.
        random: (batch,), the mean of random orders.
        edges: (batch,), strongest edges first.
    """

    explanations: Tensor
    random: Tensor
    edges: Tensor


@dataclass(frozen=True)
class DeletionInsertion:
    """How good orders of pixels are.

    Attributes:
        deletion: as pixels are taken away; smaller is better.
        insertion: as they are put in; larger is better.
        forward_passes: of one image, for all methods.
    """

    deletion: Areas
    insertion: Areas
    forward_passes: int


def importance_of(maps: Tensor, kind: Literal["signed", "magnitude"]) -> Tensor:
    """What pixels are ordered by: mean or RMS over channels, as in heatmaps; (batch, channels, h, w) to (batch, h, w).

    Signed suits maps of what the pixels as they are contribute (integrated gradients, Grad-CAM, occlusion), magnitude
    those of what a change of them would do (gradients, adversarial explanations).
    """
    return maps.mean(1) if kind == "signed" else maps.square().mean(1).sqrt()


def deletion_insertion(
    logits: Network,
    images: Tensor,
    target: Tensor,
    importance: Tensor,
    options: DeletionOptions = DeletionOptions(),
    *,
    rows_at_once: int = ROWS_AT_ONCE,
) -> DeletionInsertion:
    """Both areas of each method's explanations, of random orders, and of edges.

    Args:
        logits: images to logits (batch, classes); asked without gradients.
        images: (batch, channels, height, width) in [0, 1].
        target: int64 (batch,).
        importance: (methods, batch, height, width), largest where a pixel matters most; equal ones go row by row.
        options: of the curves.
        rows_at_once: rows in one pass, or as many as there are images.
    """

    def area(order: Tensor, begin: Tensor, end: Tensor) -> Tensor:
        return _area(logits, begin, end, target, order, options.steps, rows_at_once)

    without = {"zero": torch.zeros_like(images), "blurred": blurred(images)}
    orders = [edges(images), *importance, *_random_orders(images, options)]
    return DeletionInsertion(
        deletion=_beside(orders, len(importance), lambda order: area(order, images, without[options.deleted_to])),
        insertion=_beside(orders, len(importance), lambda order: area(order, without[options.inserted_into], images)),
        forward_passes=2 * len(orders) * (options.steps + 1),
    )


def edges(images: Tensor) -> Tensor:
    """Length of the Sobel gradient of the mean over channels, borders repeated; to (batch, height, width)."""
    grey = functional.pad(images.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    across = torch.tensor(_SOBEL, dtype=images.dtype, device=images.device)
    return functional.conv2d(grey, torch.stack([across, across.T])[:, None]).square().sum(1).sqrt()


def blurred(images: Tensor) -> Tensor:
    """Each channel under a Gaussian of 11x11 pixels, borders repeated."""
    margin = BLUR_SIDE // 2
    planes = functional.pad(images.flatten(0, 1)[:, None], (margin, margin, margin, margin), mode="replicate")
    return functional.conv2d(planes, gaussian_window(BLUR_SIDE, BLUR_SIGMA).to(images)).view_as(images)


def _random_orders(images: Tensor, options: DeletionOptions) -> Tensor:
    """The same for every image: (orders, batch, height, width)."""
    random = torch.Generator().manual_seed(options.seed)
    drawn = torch.rand(options.random_orders, 1, *images.shape[2:], generator=random)
    return drawn.to(images.device).expand(-1, len(images), -1, -1)


def _beside(orders: list[Tensor], methods: int, area: Callable[[Tensor], Tensor]) -> Areas:
    """Of edges, then of so many methods, then of random orders."""
    of_edges, *others = [area(order) for order in orders]
    return Areas(torch.stack(others[:methods]), torch.stack(others[methods:]).mean(0), of_edges)


def _area(
    logits: Network, begin: Tensor, end: Tensor, target: Tensor, importance: Tensor, steps: int, rows_at_once: int
) -> Tensor:
    """Under the probability of the target as pixels go from `begin` to `end`, most important first."""
    batch, _, height, width = begin.shape
    first = importance.flatten(1).argsort(dim=1, descending=True, stable=True)
    place = first.argsort(1).view(batch, 1, 1, height, width)  # of each pixel in that order
    counts = torch.linspace(0, height * width, steps + 1, device=begin.device).round()
    curve = []
    for some in torch.split(counts, max(1, rows_at_once // batch)):
        mixed = torch.where(place < some.view(1, -1, 1, 1, 1), end[:, None], begin[:, None])
        with torch.no_grad():
            probability = probability_of(logits(mixed.flatten(0, 1)), target.repeat_interleave(len(some)))
        curve.append(probability.view(batch, len(some)))
    return torch.trapezoid(torch.cat(curve, 1).double(), counts.double() / (height * width))
