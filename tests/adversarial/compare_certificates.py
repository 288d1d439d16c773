"""Certificates beside attacks on what they are promised of: the smoothed classifier.

    python -m tests.adversarial.compare_certificates models/cifar10 --data cifar10.npz --kept runs/certified.safetensors

No attack may be smaller than the radius that was certified, but for a share alpha of the images.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from app.adversarial.aims import Aims
from app.adversarial.nearest import nearest_flip
from app.adversarial.sizes import l2
from app.adversarial.smoothing import Smoothing, certify
from app.engine.steps.openvino import openvino_step
from app.engine.steps.protocol import GradientStep, StepNetwork
from tests.adversarial.compare_nearest import read

AVERAGED = 4  # draws of noise that the attack sees at once
JUDGED_BY = 512
SURE = 3.0  # standard deviations
OUTWARD = (1.0, 1.05, 1.1, 1.2, 1.4, 1.7, 2.0, 3.0)


@dataclass(frozen=True)
class Averaged:
    """A step that answers the mean over fixed draws of noise, (draws, channels, height, width)."""

    step: GradientStep
    noise: Tensor
    name: str = "averaged"

    def logits(self, images: Tensor) -> Tensor:
        return self._mean(self.step.logits(self._shown(images)), len(images))

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        logits, gradient = self.step.logits_and_gradient(self._shown(images), Aims.joined([aims] * len(self.noise)))
        return self._mean(logits, len(images)), self._mean(gradient, len(images))

    def _shown(self, images: Tensor) -> Tensor:
        return (images[None] + self.noise[:, None]).flatten(0, 1)

    @staticmethod
    def _mean(values: Tensor, count: int) -> Tensor:
        return values.view(-1, count, *values.shape[1:]).mean(0)


def attack_l2(
    step: GradientStep, image: Tensor, class_id: int, sigma: float, classes: int, random: torch.Generator
) -> float:
    """L2 of a change that takes the smoothed classifier's class away for sure; infinite where none was found."""
    noise = sigma * torch.randn(AVERAGED, *image.shape, generator=random)
    network = StepNetwork(Averaged(step, noise), classes)
    change = nearest_flip(network, image[None], torch.tensor([class_id])).images[0] - image
    for times in OUTWARD if bool(change.any()) else ():
        shown = image + times * change + sigma * torch.randn(JUDGED_BY, *image.shape, generator=random)
        hits = torch.bincount(step.logits(shown).argmax(1), minlength=classes)
        ours, others = int(hits[class_id]), int(hits.max())
        if others - ours > SURE * (ours + others) ** 0.5:
            return times * float(l2(change[None]))
    return float("inf")


def main() -> None:
    """Print how radii and attacks stand to each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kept", type=Path, required=True, help="file of what was found so far")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--sigma", type=float, default=0.1)
    parser.add_argument("--draws", type=int, default=500)
    asked = parser.parse_args()
    network, images, classes = read(asked.model, asked.data, asked.images)
    step = openvino_step(network, images.shape[1:], classes, threads=torch.get_num_threads())
    smoothing = Smoothing(asked.sigma, asked.draws)
    found = load_file(asked.kept)["found"] if asked.kept.exists() else torch.empty(0, 2)
    for row in range(len(found), len(images)):
        random = torch.Generator().manual_seed(row)
        made = certify(step.logits, images[row], smoothing, random=random)
        attacked = attack_l2(step, images[row], made.class_id, asked.sigma, classes, random)
        found = torch.cat([found, torch.tensor([[made.radius_l2 or 0.0, attacked]])])
        save_file({"found": found}, asked.kept)
    radius, attack = found[: asked.images].unbind(1)
    certified, flipped = radius > 0, attack.isfinite()
    print(  # noqa: T201
        f"{len(radius)} images: {int(certified.sum())} certified, median L2 {float(radius[certified].median()):.3f};"
        f" {int(flipped.sum())} flipped, median L2 {float(attack[flipped].median()):.3f};"
        f" {int((attack < radius).sum())} flipped below their radius; median of radius over attack"
        f" {float((radius / attack)[certified & flipped].median()):.2f},"
        f" largest {float((radius / attack)[certified & flipped].max()):.2f}"
    )


if __name__ == "__main__":
    main()
