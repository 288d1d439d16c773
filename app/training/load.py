"""Data of any kind we read, as one `DataSet`: every image in memory, uint8, of one size."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError
from app.images.decode import DecodeLimits
from app.images.fit import Fit
from app.networks.description import MAX_SIDE_PIXELS
from app.training.cifar10 import is_cifar10_folder, load_cifar10_folder
from app.training.data import DataSet, Images, LeftOut
from app.training.files import open_files
from app.training.folders import ImageFile, ImageFiles, sort_files
from app.training.npz import load_npz
from app.training.pictures import LIMITS, Seen, Shape, Tell, fitted, look, read_pictures, require_memory

FIRST_LOOK = 64  # images that size and channels are guessed from; all of them decide
MOST_UNREADABLE = 0.05  # of the images; more is no accident of single files
FEWEST_TO_LEARN = 2  # of each class; one image has nothing in common with another


@dataclass(frozen=True)
class Asked:
    """Size and channels as asked for; None leaves it to the images."""

    height: int | None
    width: int | None
    channels: int | None
    fit: Fit

    def __post_init__(self) -> None:
        for name, side in (("height", self.height), ("width", self.width)):
            if side is not None and not 1 <= side <= MAX_SIDE_PIXELS:
                raise DataError(f"The {name} asked for is {side} pixels; it must be 1 to {MAX_SIDE_PIXELS}.")
        if self.channels not in (None, 1, 3):
            raise DataError(f"{self.channels} channels were asked for; it must be 1 (grey) or 3 (red, green, blue).")
        if self.fit not in get_args(Fit):
            raise DataError(f"Images cannot be fitted by {self.fit!r}; it must be one of {', '.join(get_args(Fit))}.")

    def shape(self, height: int, width: int, channels: int) -> Shape:
        """What was asked for, with these where it was not."""
        return Shape(self.height or height, self.width or width, self.channels or channels, self.fit)


def load_data(
    path: Path,
    *,
    height: int | None = None,
    width: int | None = None,
    channels: int | None = None,
    fit: Fit = "stretch",
    test_only: bool = False,
    limits: DecodeLimits = LIMITS,
    tell: Tell = lambda done, of: None,
) -> DataSet:
    """Read an npz, a folder or zip of `train/CLASS/IMAGE` and `test/CLASS/IMAGE`, or CIFAR-10's own folder.

    Args:
        path: the npz, folder or zip; what it is shows in itself, save that an npz must be called so.
        height, width: in pixels; None for the most common size of the training images.
        channels: 1 or 3; None for 1 where all images are grey, else 3. Arrays keep theirs.
        fit: how images of another shape are fitted.
        test_only: leave the training split empty where it would have to be decoded; it may then be missing.
        limits: of one image file.
        tell: called after each decoded file.

    Raises:
        DataError: there is nothing there that can be learned from; says what and which.
    """
    asked = Asked(height, width, channels, fit)
    if path.suffix.lower() == ".npz":
        return _refitted(load_npz(path), asked)
    if is_cifar10_folder(path):
        return _refitted(load_cifar10_folder(path), asked)
    with open_files(path) as found:
        files = sort_files(path, found, test_only=test_only)
        return _load_files(path, files, asked, limits, tell)


def _load_files(path: Path, files: ImageFiles, asked: Asked, limits: DecodeLimits, tell: Tell) -> DataSet:
    every = files.train + files.test
    first = look(every[:FIRST_LOOK], limits)
    if all(one.wrong for one in first):
        raise _too_many_unreadable(path, every, first)
    shape = _settle(asked, first)
    pixels, seen = read_pictures(every, shape, limits, tell)
    _require_readable(path, files, seen)
    # Size is the training images' to say, channels everyone's; the first ones may not have been like the most.
    settled = _settle(asked, seen[: len(files.train)] or seen, everyone=seen)
    if settled != shape:
        del pixels
        pixels, seen = read_pictures(every, settled, limits, tell)
        _require_readable(path, files, seen)
    count = len(files.train)
    train = _taken(files.train, pixels[:count], seen[:count])
    test = _taken(files.test, pixels[count:], seen[count:])
    sizes = Counter((one.height, one.width) for one in seen if not one.wrong)
    left_out = tuple(LeftOut(file.name, one.wrong) for file, one in zip(every, seen, strict=True) if one.wrong)
    notes = (*files.notes, *_notes(asked, settled, seen))
    return DataSet(train, test, files.classes, sizes, left_out, notes)


def _settle(asked: Asked, seen: Sequence[Seen], everyone: Sequence[Seen] = ()) -> Shape:
    """What was asked for, else the most common size (of two the larger) of images `seen`; grey if `everyone` is."""
    sizes = Counter((one.height, one.width) for one in seen if not one.wrong)
    (height, width), _ = max(sizes.items(), key=lambda item: (item[1], item[0]))
    if max(asked.height or height, asked.width or width) > MAX_SIDE_PIXELS:
        raise DataError(
            f"The most common size of the images is {height} x {width} pixels (height x width), and a network takes at"
            f" most {MAX_SIDE_PIXELS}; ask for a smaller height and width."
        )
    return asked.shape(height, width, 1 if all(one.grey for one in everyone or seen) else 3)


def _require_readable(path: Path, files: ImageFiles, seen: Sequence[Seen]) -> None:
    every = files.train + files.test
    if sum(bool(one.wrong) for one in seen) > MOST_UNREADABLE * len(every):
        raise _too_many_unreadable(path, every, seen)
    splits = ["train"] * len(files.train) + ["test"] * len(files.test)
    rows = zip(splits, every, seen, strict=True)
    good = Counter((split, file.label) for split, file, one in rows if not one.wrong)
    for split, fewest in (("train", FEWEST_TO_LEARN), ("test", 1)):
        for label, name in enumerate(files.classes):
            if split in splits and good[split, label] < fewest:
                raise DataError(
                    f"{path} has {good[split, label]} readable images in {split}/{name}; {fewest} or more are needed."
                    " Add some, or remove the class from both splits."
                )


def _too_many_unreadable(path: Path, files: Sequence[ImageFile], seen: Sequence[Seen]) -> DataError:
    wrong = [(file.name, one.wrong) for file, one in zip(files, seen, strict=False) if one.wrong]
    name, why = wrong[0]
    others = f" {len(wrong) - 1} more of {len(seen)} images cannot be read either." if len(wrong) > 1 else ""
    return DataError(
        f"{name} of {path}: {why}{others} At most {MOST_UNREADABLE:.0%} may be left out; get them again or remove them."
    )


def _taken(files: Sequence[ImageFile], pixels: Tensor, seen: Sequence[Seen]) -> Images:
    labels = torch.tensor([file.label for file in files], dtype=torch.int64)
    images = Images(pixels, labels, tuple(file.name for file in files))
    return images.without({at for at, one in enumerate(seen) if one.wrong})


def _notes(asked: Asked, shape: Shape, seen: Sequence[Seen]) -> tuple[str, ...]:
    good = [one for one in seen if not one.wrong]
    unlike = sum((one.height, one.width) != (shape.height, shape.width) for one in good)
    size = f"{shape.height} x {shape.width} pixels (height x width)"
    chosen = "as asked for" if asked.height and asked.width else "the most common size to learn from"
    notes = [f"Images are {size}, {chosen}; {unlike} of {len(good)} had another and were fitted to it ({shape.fit})."]
    if asked.channels is None:
        notes.append("All images are grey: one channel." if shape.channels == 1 else "Images are in colour.")
    return tuple(notes)


def _refitted(data: DataSet, asked: Asked) -> DataSet:
    """Arrays in the shape asked for; as they are where it is theirs."""
    channels, height, width = data.train.images.shape[1:]
    shape = asked.shape(height, width, channels)
    if (shape.channels, shape.height, shape.width) == (channels, height, width):
        return data
    train, test = (replace(split, images=_refit(split.images, shape)) for split in (data.train, data.test))
    note = f"Arrays of {height} x {width} pixels and {channels} channels were made into {shape.height} x {shape.width}"
    return replace(data, train=train, test=test, notes=(*data.notes, f"{note} and {shape.channels} ({shape.fit})."))


def _refit(images: Tensor, shape: Shape) -> Tensor:
    require_memory(len(images), shape)
    refitted = torch.empty(len(images), shape.channels, shape.height, shape.width, dtype=torch.uint8)
    for at, image in enumerate(images):
        rgb = image.expand(3, -1, -1).permute(1, 2, 0)  # grey has one channel to repeat
        refitted[at] = fitted(rgb.numpy().astype(np.float32) / 255, shape)
    return refitted
