"""Whether each method finds the pixels that a class hangs on: deletion and insertion, beside blind orders."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from app.comparison.deletion import deletion_insertion
from app.comparison.methods import importance_by
from app.training.measures.estimates import Estimate, share_of
from app.training.measures.sanity import methods_at

_BATCH = 10


@dataclass(frozen=True)
class Order:
    """One order of pixels, over all images.

    Attributes:
        by: the method, or random or edges.
        images: explained, each for the class that it is read as.
        deletion_area, insertion_area: means, of areas under the class's probability; less, and more, is better.
        deletes_better, inserts_better: shares of the images where it beats the random order; None for that itself.
    """

    by: str
    images: int
    deletion_area: float
    insertion_area: float
    deletes_better: Estimate | None
    inserts_better: Estimate | None

    def as_score(self) -> dict[str, object]:
        """As plain JSON."""
        return asdict(self)


def pixel_orders(
    network: nn.Module, images: Tensor, *, rho: float, tell: Callable[[int], None] = lambda images: None
) -> Sequence[Order]:
    """Every method's order, then at random, then edges first.

    Args:
        network: in evaluation mode.
        images: (n, channels, height, width) in [0, 1].
        rho: RMS of the adversarial explanations.
        tell: told of each batch that is done, how many images it was.
    """
    methods = methods_at(rho)
    areas: dict[str, list[Tensor]] = {name: [] for name in (*methods, "random", "edges")}
    for batch in torch.split(images, _BATCH):
        with torch.no_grad():
            target = network(batch).argmax(1)
        maps = {name: explained(network, batch, target) for name, explained in methods.items()}
        for name, both in _areas(network, batch, target, maps).items():
            areas[name].append(both.cpu())
        tell(len(batch))
    whole = {name: torch.cat(parts, 1) for name, parts in areas.items()}
    return [_order(name, found, whole["random"]) for name, found in whole.items()]


def _areas(network: nn.Module, images: Tensor, target: Tensor, maps: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Deletion and insertion of each order, (2, batch)."""
    importance = [importance_by(name, made) for name, made in maps.items()]
    found = deletion_insertion(network, images, target, torch.stack(importance))
    both = torch.stack([found.deletion.explanations, found.insertion.explanations], 1)
    return {
        **dict(zip(maps, both, strict=True)),
        "random": torch.stack([found.deletion.random, found.insertion.random]),
        "edges": torch.stack([found.deletion.edges, found.insertion.edges]),
    }


def _order(name: str, found: Tensor, random: Tensor) -> Order:
    deletion, insertion = found
    compared = name != "random"
    return Order(
        by=name,
        images=len(deletion),
        deletion_area=float(deletion.mean()),
        insertion_area=float(insertion.mean()),
        deletes_better=share_of(deletion < random[0]) if compared else None,
        inserts_better=share_of(insertion > random[1]) if compared else None,
    )
