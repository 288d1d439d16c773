"""What the data is, before the first step: counts, copies, what was left out, and the numbers a recipe can use."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.training.data import DataSet, Images, LeftOut

ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class DataReport:
    """One data set, told.

    Attributes:
        classes: their names, by label.
        train_counts, test_counts: images of each class, by label.
        height, width, channels: of every image, in pixels.
        sizes: how many image files had which (height, width) before they were fitted; empty for arrays.
        across: names of a training and a test image with the same pixels.
        within_train, within_test: names of all images with the same pixels, for each such set of pixels.
        left_out: what was found but not taken, and why.
        class_weights: by label; how much rarer than the mean a class is in training, see `class_weights`.
        mean, std: of each channel over all pixels of the training images, in [0, 1].
        notes: sentences on what loading decided.
    """

    classes: tuple[str, ...]
    train_counts: tuple[int, ...]
    test_counts: tuple[int, ...]
    height: int
    width: int
    channels: int
    sizes: Mapping[tuple[int, int], int]
    across: tuple[tuple[str, str], ...]
    within_train: tuple[tuple[str, ...], ...]
    within_test: tuple[tuple[str, ...], ...]
    left_out: tuple[LeftOut, ...]
    class_weights: tuple[float, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    notes: tuple[str, ...]


def report(data: DataSet) -> DataReport:
    """Look at every image of both splits, the training split of which holds at least one."""
    count = len(data.classes)
    train, test = _by_digest(data.train), _by_digest(data.test)
    channels, height, width = data.train.images.shape[1:]
    mean, std = mean_and_std(data.train.images)
    return DataReport(
        classes=data.classes,
        train_counts=tuple(torch.bincount(data.train.labels, minlength=count).tolist()),
        test_counts=tuple(torch.bincount(data.test.labels, minlength=count).tolist()),
        height=height,
        width=width,
        channels=channels,
        sizes=data.sizes,
        across=tuple(
            (data.train.name(at), data.test.name(test[digest][0]))
            for digest, places in train.items()
            if digest in test
            for at in places
        ),
        within_train=_copies(data.train, train),
        within_test=_copies(data.test, test),
        left_out=data.left_out,
        class_weights=tuple(class_weights(data.train.labels, count).tolist()),
        mean=mean,
        std=std,
        notes=data.notes,
    )


def without_leaks(data: DataSet) -> DataSet:
    """Leave out the training images whose very pixels the test split holds too: a test of them would test memory."""
    test = _by_digest(data.test)
    leaked = {at: test[digest][0] for at, digest in enumerate(_digests(data.train)) if digest in test}
    left_out = tuple(
        LeftOut(data.train.name(at), f"The test split holds the same pixels: {data.test.name(other)}.")
        for at, other in leaked.items()
    )
    return replace(data, train=data.train.without(set(leaked)), left_out=data.left_out + left_out)


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """The inverse of each class's frequency, float32 (classes,), scaled to a mean of 1; 0 where there is no image."""
    counts = torch.bincount(labels, minlength=classes)
    present = counts > 0
    weights = torch.where(present, 1 / counts.clamp(min=1), 0.0)
    return weights / weights[present].mean()


def mean_and_std(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of each channel of uint8 (n, channels, height, width), in [0, 1]; exact, as they come from counted levels."""
    counts = torch.zeros(images.shape[1], 256, dtype=torch.float64)
    for at in range(0, len(images), ROWS_AT_ONCE):
        part = images[at : at + ROWS_AT_ONCE]
        for channel in range(images.shape[1]):
            counts[channel] += torch.bincount(part[:, channel].flatten(), minlength=256)
    share = counts / counts.sum(1, keepdim=True)
    level = torch.arange(256, dtype=torch.float64) / 255
    mean = share @ level
    variance = share @ level**2 - mean**2
    return tuple(mean.tolist()), tuple(variance.clamp(min=0).sqrt().tolist())


def _digests(images: Images) -> list[bytes]:
    """SHA-256 of each image's pixels."""
    return [hashlib.sha256(image.contiguous().numpy()).digest() for image in images.images]


def _by_digest(images: Images) -> dict[bytes, list[int]]:
    places: dict[bytes, list[int]] = {}
    for at, digest in enumerate(_digests(images)):
        places.setdefault(digest, []).append(at)
    return places


def _copies(images: Images, places: dict[bytes, list[int]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(images.name(at) for at in same) for same in places.values() if len(same) > 1)
