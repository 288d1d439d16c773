"""Whether explanations depend on what the network learned: they must change where its weights are made random.

Adebayo et al. 2018, "Sanity Checks for Saliency Maps" (arXiv 1810.03292). Weights, cascading: from the last layer
towards the first, each time with all layers after it. Labels: beside a network of the same layers that has learned
shuffled labels of the very images by heart, which is quick, where theirs learned a whole training set's.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.adversarial.explain import fast_change
from app.comparison.agreement import over_channels, spearman
from app.comparison.methods import METHODS
from app.training.measures.shuffled import learn_by_heart

ADVERSARIAL = "adversarial"
DEPTHS = 5
"""How many times is looked: with one random layer, with all of them, and evenly between."""

Explain = Callable[[nn.Module, Tensor, Tensor], Tensor]
"""(network, images (batch, channels, height, width), target int64 (batch,)) to maps (batch, channels or 1, h, w)."""


@dataclass(frozen=True)
class Sanity:
    """How much of each method's maps is left.

    Attributes:
        images: how many were explained, each for the class that it was read as before.
        layers: of the network, that have weights to make random.
        random_layers: how many were random, the last ones, each time that was looked.
        rank_correlation: by method, of the maps' pixels before and after, each time; the mean over the images.
        shuffled_labels: by method, the same beside the network that learned shuffled labels.
        learned_share: of the shuffled labels, those that it gives.
    """

    images: int
    layers: int
    random_layers: tuple[int, ...]
    rank_correlation: Mapping[str, tuple[float, ...]]
    shuffled_labels: Mapping[str, float]
    learned_share: float

    def as_scores(self) -> list[dict[str, object]]:
        """A row for each method, as plain JSON."""
        names = [f"{count} of {self.layers} layers random" for count in self.random_layers]
        return [
            {
                "rank_correlation": method,
                "images": self.images,
                **dict(zip(names, found, strict=True)),
                f"labels shuffled ({self.learned_share:.0%} learned)": self.shuffled_labels[method],
            }
            for method, found in self.rank_correlation.items()
        ]


def sanity(
    network: nn.Module,
    images: Tensor,
    label: Tensor,
    *,
    rho: float,
    seed: int,
    tell: Callable[[str], None] = lambda what: None,
) -> Sanity:
    """Explain images by the network, by some that are random in ever more last layers, and by one that knows nothing.

    Args:
        network: in evaluation mode; stays as it is.
        images: (n, channels, height, width) in [0, 1].
        label: int64 (n,), which are shuffled.
        rho: RMS of the adversarial explanations.
        seed: of the random weights and of the shuffling.
        tell: told in words of each network that is looked at.
    """
    with torch.no_grad():
        target = network(images).argmax(1)
    methods = methods_at(rho)
    before = {name: over_channels(explained(network, images, target)) for name, explained in methods.items()}
    layers = [name for name, module in network.named_modules() if isinstance(module, nn.Linear | nn.Conv2d)][::-1]
    counts = sorted({round(1 + (len(layers) - 1) * step / (DEPTHS - 1)) for step in range(DEPTHS)})

    def left_by(other: nn.Module) -> Mapping[str, float]:
        after = {name: over_channels(explained(other, images, target)) for name, explained in methods.items()}
        # A map that is the same everywhere has no order, and so nothing of the order that was.
        return {name: float(spearman(before[name], after[name]).nan_to_num(0).mean()) for name in methods}

    left = []
    for count in counts:
        tell(f"{count} of {len(layers)} layers random")
        left.append(left_by(with_random_layers(network, layers[:count], seed)))
    tell("labels shuffled")
    learned = learn_by_heart(with_random_layers(network, layers, seed), images, label, seed)
    return Sanity(
        images=len(images),
        layers=len(layers),
        random_layers=tuple(counts),
        rank_correlation={name: tuple(found[name] for found in left) for name in methods},
        shuffled_labels=left_by(learned.network),
        learned_share=learned.share,
    )


def with_random_layers(network: nn.Module, layers: list[str], seed: int) -> nn.Module:
    """A copy whose layers of these names have normal weights around 0, as large (RMS) as theirs were."""
    copied, random = copy.deepcopy(network), torch.Generator().manual_seed(seed)
    for layer in layers:
        for weights in copied.get_submodule(layer).parameters():
            noise = torch.randn(weights.shape, generator=random).to(weights)
            weights.data = weights.square().mean().sqrt() * noise
    return copied


def methods_at(rho: float) -> Mapping[str, Explain]:
    """Every method by name, the adversarial one at that RMS and first."""

    def adversarial(network: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        return fast_change(network, images, target, direction="encourage", rho=rho)

    def by(name: str) -> Explain:
        return lambda network, images, target: METHODS[name](network, images, target).map

    return {ADVERSARIAL: adversarial, **{name: by(name) for name in METHODS}}
