"""CIFAR-10 as torchvision keeps it: the folder `cifar-10-batches-py` of its authors' pickles."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from app.errors import DataError
from app.training.data import DataSet, Images

FOLDER = "cifar-10-batches-py"


def is_cifar10_folder(path: Path) -> bool:
    """Whether `path` is that folder, or holds it."""
    return path.name == FOLDER or (path / FOLDER).is_dir()


def load_cifar10_folder(path: Path) -> DataSet:
    """Read the folder, given itself or the one above it.

    A pickle can run anything, so none is opened but those that the world knows: torchvision compares each file's MD5
    with the published one first. Two files of one MD5 can be made, but nobody can make one to match a file that is
    there already. What is left is whoever swaps files while they are read, and could change this program as well.

    Raises:
        DataError: a file is missing or not as published.
    """
    from torchvision.datasets import CIFAR10  # type: ignore[import-untyped]  # noqa: PLC0415 - no types; 80 MB

    root = path.parent if path.name == FOLDER else path
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # their pickles are of numpy's early days, and numpy says so
            train, test = CIFAR10(root, train=True), CIFAR10(root, train=False)
    except RuntimeError:
        raise DataError(
            f"{root / FOLDER} lacks a file of CIFAR-10 or holds one that is not as published, by its MD5."
            " Those files are pickles, so no other is opened; get cifar-10-python.tar.gz again, or give an npz."
        ) from None
    return DataSet(_images(train), _images(test), tuple(train.classes))


def _images(split: Any) -> Images:  # noqa: ANN401 - torchvision has no types
    pixels = torch.from_numpy(np.ascontiguousarray(split.data.transpose(0, 3, 1, 2)))
    return Images(pixels, torch.tensor(split.targets, dtype=torch.int64))
