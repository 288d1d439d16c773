"""What `aex evaluate` finds out for the service, and of explanations: --calibrate and --sanity."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from app.cli.common import console, progress_bar
from app.errors import OptionError
from app.networks.calibration import Calibration
from app.networks.description import ModelDescription
from app.networks.domain import Domain
from app.training.data import DataSet, Images
from app.training.evaluate import Subject, as_plain
from app.training.measures.domain import calibrate_domain
from app.training.measures.gain import calibrate_gain
from app.training.measures.pixel_order import pixel_orders
from app.training.measures.sanity import DEPTHS, sanity
from app.training.measures.stability import calibrate_stability
from app.training.others import read_others
from app.training.pictures import Shape


@dataclass(frozen=True)
class Calibrated:
    """What goes into a model's folder, beside its scores.

    Attributes:
        calibration: for model.json.
        domain: the numbers that it is calibrated to.
        scores: what was measured on the way, as plain JSON.
    """

    calibration: Calibration
    domain: Domain
    scores: dict[str, object]


def calibrate(
    subject: Subject, description: ModelDescription, data: DataSet, others: Sequence[Path], images: int, seed: int
) -> Calibrated:
    """Draw the lines that the service judges a model's answers by.

    Args:
        subject: the network.
        description: of the model.
        data: the images that it learned from, and a test split.
        others: npz files, folders or zips of images of other kinds.
        images: to explain.
        seed: of the choice of images.
    """
    size = description.input
    shape = Shape(size.height, size.width, size.channels, size.fit)
    read = {}
    for path in others:
        console.print(f"reading {path.name}")
        read[path.stem] = read_others(path, shape, seed)
    if len(read) < len(others):
        raise OptionError("Two of --others are called alike; copy one to another name.")
    console.print("looking at images of its own")
    found = calibrate_domain(subject.network, data.train, data.test, read, seed)
    console.print("explaining")
    chosen = _chosen(subject, data.test, images, seed)
    gain = calibrate_gain(subject.climbed, chosen, subject.rho)
    with progress_bar() as shown:
        task = shown.add_task("explaining under noise", total=len(chosen), live="")
        stability = calibrate_stability(subject.climbed, chosen, subject.rho, lambda done: shown.advance(task, done))
    calibration = Calibration(found.calibration, gain.calibration, stability.calibration)
    scores: dict[str, object] = {
        "own_images": as_plain(found.own),
        "gain_per_rms": gain.as_scores(),
        "stability_under_noise": stability.as_scores(),
    }
    if found.others:
        scores["other_images"] = as_plain(found.others)
    return Calibrated(calibration, found.domain, scores)


def check_sanity(subject: Subject, test: Images, images: int, seed: int) -> list[dict[str, object]]:
    """How explanations change with what was learned, as rows of scores; the other arguments are as above."""
    chosen, label = _chosen(subject, test, images, seed), test.labels[_places(test, images, seed)]
    with progress_bar() as shown:
        task = shown.add_task("making random", total=DEPTHS + 1, live="")

        def tell(what: str) -> None:
            shown.advance(task)
            shown.update(task, live=what)

        return sanity(
            subject.network, chosen, label.to(chosen.device), rho=subject.rho, seed=seed, tell=tell
        ).as_scores()


def order_pixels(subject: Subject, test: Images, images: int, seed: int) -> list[dict[str, object]]:
    """How each method's explanations order pixels, as rows of scores; the other arguments are as above."""
    chosen = _chosen(subject, test, images, seed)
    with progress_bar() as shown:
        task = shown.add_task("deleting and inserting", total=len(chosen), live="")
        found = pixel_orders(subject.network, chosen, rho=subject.rho, tell=lambda done: shown.advance(task, done))
    return [one.as_score() for one in found]


def _chosen(subject: Subject, test: Images, images: int, seed: int) -> Tensor:
    """So many test images as floats, on the network's device: the first of those that all other measures take."""
    index = _places(test, images, seed)
    return test.floats(index).to(next(subject.network.parameters()).device)


def _places(test: Images, images: int, seed: int) -> Tensor:
    return torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))[:images]
