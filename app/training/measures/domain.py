"""How well a model tells images of its own kind from others, and where it draws the line."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from app.networks.calibration import PERCENTILES, DomainCalibration
from app.networks.domain import Domain
from app.training.data import Images
from app.training.measures.classification import area_under_roc
from app.training.measures.estimates import Estimate, share_of

USUAL_SHARE = 0.95
"""Of the model's own held-out images: those that are not to be called unlike its own."""

MOST_TRAIN, MOST_HELD_OUT = 3000, 2000
_BATCH = 100


@dataclass(frozen=True)
class OwnImages:
    """How the model's own images fare, which neither said where the domain is nor drew the line.

    Attributes:
        train_images, calibration_images: that said and drew these.
        images: others of the test split.
        threshold: above which an image is called unlike the model's own.
        flagged: the share of these others that is called so.
    """

    train_images: int
    calibration_images: int
    images: int
    threshold: float
    flagged: Estimate


@dataclass(frozen=True)
class OtherImages:
    """How images of another set are told from the model's own.

    Attributes:
        other: its name.
        images: how many.
        auroc: area under the receiver operating characteristic of the score.
        flagged: the share that is called unlike the model's own.
        auroc_by_features, auroc_by_picture: of the score's two distances, each alone.
        auroc_by_energy: of the energy of the logits (Liu et al. 2020, arXiv 2010.03759) in its place.
    """

    other: str
    images: int
    auroc: Estimate
    flagged: Estimate
    auroc_by_features: float
    auroc_by_picture: float
    auroc_by_energy: float


@dataclass(frozen=True)
class DomainMeasures:
    """A domain with its line, and how well both do."""

    domain: Domain
    calibration: DomainCalibration
    own: OwnImages
    others: tuple[OtherImages, ...]


def calibrate_domain(
    network: nn.Module, train: Images, test: Images, others: Mapping[str, Tensor], seed: int
) -> DomainMeasures:
    """Find a model's domain on training images and its line on half of the test images; measure on the other half.

    Args:
        network: in evaluation mode.
        train, test: the model's own images.
        others: by name of the set, uint8 (n, channels, height, width), fitted to the network's input.
        seed: of the choice of images.
    """
    random = torch.Generator().manual_seed(seed)
    known = torch.randperm(len(train), generator=random)[:MOST_TRAIN]
    held_out = torch.randperm(len(test), generator=random)[:MOST_HELD_OUT]
    drawing, judged = held_out[: len(held_out) // 2], test.images[held_out[len(held_out) // 2 :]]
    device = next(network.parameters()).device
    domain = Domain.around(
        network,
        _batches(train.images[known], device),
        _batches(test.images[drawing], device),
        usual_share=USUAL_SHARE,
    )
    drawn = _looked_at(network, domain, test.images[drawing])
    threshold = float(drawn["score"].quantile(USUAL_SHARE))
    percentiles = drawn["score"].quantile(torch.linspace(0, 1, PERCENTILES, dtype=torch.float64)).tolist()
    sha256 = hashlib.sha256(domain.as_file()).hexdigest()
    own = _looked_at(network, domain, judged)
    return DomainMeasures(
        domain=domain,
        calibration=DomainCalibration(threshold, tuple(percentiles), sha256),
        own=OwnImages(len(known), len(drawing), len(judged), threshold, share_of(own["score"] > threshold)),
        others=tuple(
            _other_images(name, own, _looked_at(network, domain, images), threshold) for name, images in others.items()
        ),
    )


def _other_images(name: str, own: Mapping[str, Tensor], theirs: Mapping[str, Tensor], threshold: float) -> OtherImages:
    auroc = {}
    for by, scores in theirs.items():
        is_other = torch.cat([torch.zeros_like(own[by]), torch.ones_like(scores)]).bool()
        auroc[by] = area_under_roc(torch.cat([own[by], scores]), is_other)
    return OtherImages(
        other=name,
        images=len(theirs["score"]),
        auroc=auroc["score"],
        flagged=share_of(theirs["score"] > threshold),
        auroc_by_features=auroc["features"].value,
        auroc_by_picture=auroc["picture"].value,
        auroc_by_energy=auroc["energy"].value,
    )


@torch.no_grad()
def _looked_at(network: nn.Module, domain: Domain, images: Tensor) -> dict[str, Tensor]:
    """The score of each image, its two distances, and the energy of its logits; float64."""
    device, found = next(network.parameters()).device, []
    for batch in _batches(images, device):
        features, picture = domain.distances(batch)
        found.append(torch.stack([features, picture, -network(batch).logsumexp(1)]).double().cpu())
    features, picture, energy = torch.cat(found, 1)
    return {"score": torch.maximum(features, picture), "features": features, "picture": picture, "energy": energy}


def _batches(images: Tensor, device: torch.device) -> Iterator[Tensor]:
    for batch in torch.split(images, _BATCH):
        yield batch.to(device).float() / 255
