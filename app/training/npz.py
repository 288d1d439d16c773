"""Images as arrays in one npz file, which is how CIFAR-10 is kept for this project."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import torch

from app.errors import DataError
from app.networks.authors import CIFAR10_CLASSES
from app.networks.description import MAX_CLASSES
from app.training.data import DataSet, Images, require_class_names


def load_npz(path: Path) -> DataSet:
    """Read `train_images` (n, height, width, channels) uint8, `train_labels`, `test_images`, `test_labels`.

    `classes` (names) is optional; without it ten classes are CIFAR-10's and others are numbered.

    Raises:
        DataError: a missing file or array, wrong shapes, or labels out of range; says which.
    """
    found = _arrays(path)
    splits = {name: _split(path, found, name) for name in ("train", "test")}
    if splits["train"].images.shape[1:] != splits["test"].images.shape[1:]:
        raise DataError(
            f"train_images of {path} are {found['train_images'].shape[1:]} and test_images"
            f" {found['test_images'].shape[1:]}: both need one height, width and number of channels."
        )
    count = 1 + max(int(split.labels.max()) for split in splits.values())
    if "classes" in found:
        names = tuple(str(name) for name in found["classes"].reshape(-1))
    else:
        names = CIFAR10_CLASSES if count == len(CIFAR10_CLASSES) else tuple(str(i) for i in range(count))
    if count > len(names):
        raise DataError(f"{path} has a label {count - 1}, but names {len(names)} classes: labels run from 0.")
    require_class_names(path, names)
    return DataSet(splits["train"], splits["test"], names)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name]) for name in arrays.files}
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist; give an npz with train_images, train_labels, test_images, test_labels."
        ) from None
    # TypeError: a bare npy opens as an array, which is no context. The others: empty, cut short, damaged, or no zip.
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"{path} is not a whole npz file of plain arrays, as numpy.savez writes one.") from error


def _split(path: Path, arrays: dict[str, np.ndarray], name: str) -> Images:
    try:
        images, labels = arrays[f"{name}_images"], arrays[f"{name}_labels"]
    except KeyError as error:
        raise DataError(f"{path} has no array {error}; it has {', '.join(sorted(arrays)) or 'none'}.") from None
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3) or not images.size:
        raise DataError(
            f"{name}_images of {path} is {images.dtype} {images.shape};"
            " it must be uint8 (n, height, width, 1 or 3), with nothing of size 0."
        )
    if labels.shape != images.shape[:1]:
        raise DataError(f"{path} has {len(images)} {name}_images and labels of shape {labels.shape}: one for each.")
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise DataError(f"{name}_labels of {path} must be whole numbers from 0 up.")
    if labels.max() >= MAX_CLASSES:
        raise DataError(f"{name}_labels of {path} go up to {labels.max()}; labels count the classes, from 0.")
    return Images(
        torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))), torch.from_numpy(labels.astype(np.int64))
    )
