"""Other methods' maps of the same targets, to lie beside the adversarial explanation, and how far all of them agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import isnan

import torch
from torch import Tensor, nn

from app.adversarial.sizes import per_row, rms
from app.comparison.agreement import agreement
from app.comparison.attribution import Cost
from app.engine.device import Place
from app.engine.token import WorkToken
from app.errors import DeadlineExceeded
from app.service.explaining.asked_methods import asked_method, contrasted
from app.service.options import ADVERSARIAL, ExplainOptions
from app.service.passes import Chosen, Found
from app.service.results.quality import AgreementTable


@dataclass(frozen=True)
class Beside:
    """Maps by name of their method, (targets, channels, height, width), on the CPU; and what one target's map took.

    They are turned and scaled to lie beside the adversarial explanation: of the perturbation's RMS, and positive where
    a lighter pixel, or the pixel as it is, speaks for what was asked for, which may be less of the class.
    """

    maps: Mapping[str, Tensor]
    costs: Mapping[str, Cost]

    @classmethod
    def nothing(cls) -> "Beside":
        """Where no other method was asked for."""
        return cls({}, {})


def explain_beside(
    place: Place,
    network: nn.Module,
    image: Tensor,
    chosen: Chosen,
    found: Found,
    options: ExplainOptions,
    token: WorkToken,
) -> Beside:
    """Explain one image (channels, height, width) by each further method asked for, a map for every target chosen.

    Where the options ask for what was found by the deadline, methods that were not done by then are left out.

    Raises:
        OptionError: the network has nothing that a method reads, such as a last feature map.
        Cancelled, DeadlineExceeded: the token, asked before every pass, said so.
    """
    images = image.expand(len(chosen.targets), *image.shape)
    sign = torch.tensor([1.0 if direction == "encourage" else -1.0 for direction in chosen.directions(options)])
    target = torch.tensor(chosen.targets)
    wanted = rms(found.explanation.perturbation[: len(chosen.targets)])  # further rows are of other sizes
    maps, costs = {}, {}
    for name in options.other_methods:
        try:
            made = contrasted(asked_method(place, network, name, token), chosen.against)(images, target)
        except DeadlineExceeded:
            if options.partial:
                break
            raise
        costs[name] = made.cost
        size = rms(made.map)
        scale = torch.where(size > 0, sign * wanted / size, torch.zeros_like(size))
        maps[name] = (made.map * per_row(scale, made.map)).expand(images.shape)
    return Beside(maps, costs)


def agreement_of(perturbation: Tensor, beside: Beside) -> list[AgreementTable]:
    """How far the maps of each target agree, method by method; perturbation (targets, channels, height, width)."""
    maps = {ADVERSARIAL: perturbation, **beside.maps}
    names = tuple(maps)
    spearman = torch.eye(len(names), dtype=torch.float64).repeat(len(perturbation), 1, 1)
    ssim = spearman.clone()
    for (i, one), (j, other) in combinations(enumerate(names), 2):
        both = agreement(maps[one], maps[other])
        spearman[:, i, j] = spearman[:, j, i] = both.spearman
        ssim[:, i, j] = ssim[:, j, i] = both.ssim
    return [AgreementTable(names, _table(one), _table(other)) for one, other in zip(spearman, ssim, strict=True)]


def _table(values: Tensor) -> tuple[tuple[float | None, ...], ...]:
    """NaN, of a map that is the same everywhere, as None."""
    return tuple(tuple(None if isnan(one) else one for one in row) for row in values.tolist())
