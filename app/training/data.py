"""Training and test images as the trainer takes them, with what loading them decided and left out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from app.errors import DataError
from app.networks.description import MAX_CLASS_NAME, is_class_name


@dataclass(frozen=True)
class Images:
    """Labelled images of one split.

    Attributes:
        images: uint8 (n, channels, height, width).
        labels: int64 (n,), from 0.
        names: of the files they were read from; empty where they came as arrays.
    """

    images: Tensor
    labels: Tensor
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    def floats(self, index: Tensor | slice) -> Tensor:
        """Images at `index` as float32 in [0, 1]."""
        return self.images[index].float() / 255

    def name(self, at: int) -> str:
        """The file of the image at `at`, or its number, from 0."""
        return self.names[at] if self.names else f"number {at}"

    def without(self, dropped: set[int]) -> "Images":
        """All images but those at these places, in the same order."""
        if not dropped:
            return self
        kept = [at for at in range(len(self)) if at not in dropped]
        index = torch.tensor(kept, dtype=torch.int64)
        return Images(self.images[index], self.labels[index], tuple(self.names[at] for at in kept if self.names))


@dataclass(frozen=True)
class LeftOut:
    """An image that was found but not taken: its name, with its split, and a sentence that says why."""

    name: str
    why: str


@dataclass(frozen=True)
class DataSet:
    """A training split, a test split and the names of their classes, by label.

    Attributes:
        train, test: of one size and number of channels.
        classes: by label.
        sizes: how many image files had which (height, width) before they were fitted; empty for arrays.
        left_out: what was found but not taken.
        notes: sentences on what loading decided.
    """

    train: Images
    test: Images
    classes: tuple[str, ...]
    sizes: Mapping[tuple[int, int], int] = field(default_factory=dict)
    left_out: tuple[LeftOut, ...] = ()
    notes: tuple[str, ...] = ()

    def labelled_as(self, classes: tuple[str, ...]) -> "DataSet":
        """The same images with labels that count these classes, which may be more and in another order.

        Classes that are mere numbers keep their labels.

        Raises:
            DataError: an image is of none of these classes.
        """
        count = len(self.classes)
        numbered = self.classes == tuple(str(label) for label in range(count)) and count <= len(classes)
        if numbered or self.classes == classes[:count]:
            return replace(self, classes=classes)
        unknown = sorted(set(self.classes) - set(classes))
        if unknown:
            raise DataError(
                f"The data has the class {unknown[0]}, which is not one of the network's: {', '.join(classes[:20])}."
            )
        new = torch.tensor([classes.index(name) for name in self.classes])
        train, test = (replace(split, labels=new[split.labels]) for split in (self.train, self.test))
        return replace(self, train=train, test=test, classes=classes)


def require_class_names(path: Path, names: tuple[str, ...]) -> None:
    """Raise `DataError` where a model of these classes could not be written at the end of its training."""
    wrong = [name for name in names if not is_class_name(name)]
    if wrong or len(set(names)) < len(names):
        what = f"a class called {ascii(wrong[0])[:60]}" if wrong else "two classes of one name"
        raise DataError(
            f"{path} has {what}; classes need different names of 1 to {MAX_CLASS_NAME} printable characters."
        )
