"""Which files are images of which split and class: `train/CLASS/…` and `test/CLASS/…`, as torchvision's ImageFolder."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import torch

from app.errors import DataError
from app.training.data import require_class_names
from app.training.files import Found

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
SPLITS = ("train", "test", "val")
MAX_SHOWN_NAME = 200
ORDER_SEED = 0


@dataclass(frozen=True)
class ImageFile:
    """One file: its name to show, such as "train/cat/7.png", the label of its folder, and how to read it."""

    name: str
    label: int
    read: Callable[[int], bytes]


@dataclass(frozen=True)
class ImageFiles:
    """The files of both splits, always in the same order, which mixes the classes; their names by label; notes."""

    train: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def sort_files(path: Path, found: Sequence[Found], *, test_only: bool) -> ImageFiles:
    """The image files of each split; `path` is for messages. With `test_only`, train may be missing and stays empty.

    Raises:
        DataError: a split without images, splits of different classes, fewer than two, or a class of no proper name.
    """
    images = _without_wrapping(find_images(found))
    splits = {name: [file for file in images if file.parts[0] == name and len(file.parts) > 2] for name in SPLITS}
    test = "test" if splits["test"] else "val"
    used = {test: splits[test]} if test_only else {"train": splits["train"], test: splits[test]}
    for name, files in used.items():
        if not files:
            raise DataError(_nothing_in("train" if name == "train" else "test", path, images))
    classes = _agreed_classes(path, used)
    sorted_out = {name: _mixed(files, classes) for name, files in used.items()}
    notes = _notes(test, splits, ignored=len(found) - sum(map(len, splits.values())))
    return ImageFiles(sorted_out.get("train", ()), sorted_out[test], classes, notes)


def find_images(found: Sequence[Found]) -> list[Found]:
    """Those that are images by their names, in whatever folder."""
    return [file for file in found if _is_image(file)]


def _is_image(file: Found) -> bool:
    """By its name; what macOS and file managers leave beside images (`__MACOSX`, dot files) has image names as well."""
    hidden = any(part.startswith((".", "__MACOSX")) for part in file.parts)
    return bool(file.parts) and not hidden and PurePosixPath(file.parts[-1]).suffix.lower() in SUFFIXES


def _without_wrapping(images: list[Found]) -> list[Found]:
    """Zips are often made of one folder that holds the splits."""
    outermost = {file.parts[0] for file in images}
    if len(outermost) != 1 or outermost & set(SPLITS):
        return images
    return [Found(file.parts[1:], file.read) for file in images if len(file.parts) > 1]


def _nothing_in(split: str, path: Path, images: Sequence[Found]) -> str:
    outermost = sorted({_shown(file.parts[:1]) for file in images})
    instead = f"images lie in {', '.join(outermost[:5])}" if images else "it holds no images at all"
    also = " (or val)" if split == "test" else ""
    return f"{path} has no images of the split {split}; {instead}. Put them into {split}{also}/CLASS/."


def _agreed_classes(path: Path, splits: dict[str, list[Found]]) -> tuple[str, ...]:
    of = {split: {file.parts[1] for file in files} for split, files in splits.items()}
    classes = tuple(sorted(set().union(*of.values())))
    require_class_names(path, classes)
    for split, own in of.items():
        missing = sorted(set(classes) - own)
        if missing:
            other = next(name for name in of if name != split)
            raise DataError(
                f"{path} has no images in {split}/{missing[0]}, but some in {other}/{missing[0]}; both splits need"
                " images of every class."
            )
    if len(classes) < 2:
        raise DataError(f"{path} has images of one class, {classes[0]}; at least two are needed to tell apart.")
    return classes


def _mixed(files: list[Found], classes: tuple[str, ...]) -> tuple[ImageFile, ...]:
    """Whoever takes the first or the last of the images must not get one class alone."""
    in_order = sorted(files, key=lambda file: file.parts)
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(ORDER_SEED)).tolist()
    label = {name: at for at, name in enumerate(classes)}
    return tuple(ImageFile(_shown(in_order[at].parts), label[in_order[at].parts[1]], in_order[at].read) for at in order)


def _shown(parts: Sequence[str]) -> str:
    """A name that cannot play tricks on a terminal."""
    printable = "".join(letter if letter.isprintable() else "?" for letter in "/".join(parts))
    return printable if len(printable) <= MAX_SHOWN_NAME else f"…{printable[-MAX_SHOWN_NAME:]}"


def _notes(test: str, splits: dict[str, list[Found]], *, ignored: int) -> tuple[str, ...]:
    notes = []
    if ignored:
        notes.append(f"Files passed over, being no images by their name or in no class folder: {ignored}.")
    if test == "val":
        notes.append("There is no test split; val is taken for it.")
    elif splits["val"]:
        notes.append(f"The {len(splits['val'])} images in val are not used.")
    return tuple(notes)
