"""A data report as tables to read before the first step."""

from collections.abc import Sequence
from itertools import islice

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from app.training.report import DataReport

MOST_NAMES = 10


def data_tables(found: DataReport) -> Group:
    """Counts by class, pixel levels by channel, sizes, notes, and by name what was left out or is there twice."""
    shown: list[RenderableType] = [_classes(found), _channels(found), *map(Text, found.notes)]
    shown += _sizes(found)
    shown += _names("left out", [f"{one.name}: {one.why}" for one in found.left_out])
    shown += _names("in both splits", [f"{train} is {test}" for train, test in found.across])
    for split, copies in (("training", found.within_train), ("test", found.within_test)):
        shown += _names(f"more than once in the {split} split", [" = ".join(names[:MOST_NAMES]) for names in copies])
    return Group(*shown)


def _classes(found: DataReport) -> Table:
    table = Table("class", "training images", "test images", "weight by rarity")
    for row in zip(found.classes, found.train_counts, found.test_counts, found.class_weights, strict=True):
        name, train, test, weight = row
        table.add_row(Text(name), str(train), str(test), f"{weight:.3f}")
    return table


def _channels(found: DataReport) -> Table:
    table = Table("channel", "mean", "standard deviation")
    names = ("grey",) if found.channels == 1 else ("red", "green", "blue")
    for name, mean, std in zip(names, found.mean, found.std, strict=True):
        table.add_row(name, f"{mean:.4f}", f"{std:.4f}")
    return table


def _sizes(found: DataReport) -> list[RenderableType]:
    if len(found.sizes) < 2:
        return []
    table = Table("height", "width", "image files", title="sizes before fitting")
    by_count = sorted(found.sizes.items(), key=lambda item: -item[1])
    for (height, width), count in islice(by_count, MOST_NAMES):
        table.add_row(str(height), str(width), str(count))
    rest = by_count[MOST_NAMES:]
    if rest:
        table.add_row("others", f"{len(rest)} sizes", str(sum(count for _, count in rest)))
    return [table]


def _names(what: str, lines: Sequence[str]) -> list[RenderableType]:
    """File names are shown as they are, never read as rich's markup."""
    if not lines:
        return []
    rest = [Text(f"  and {len(lines) - MOST_NAMES} more")] if len(lines) > MOST_NAMES else []
    return [Text(f"{len(lines)} {what}:"), *(Text(f"  {line}") for line in lines[:MOST_NAMES]), *rest]
