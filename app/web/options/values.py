"""Values of options, out of the texts of a form or query and out of JSON. Each raises ValueError for what it is not."""

import re

from app.archive.address import InstanceAddress

MAX_TEXT = 1000
MAX_WHOLE = 2**63 - 1
MAX_RANGES = 1000
_WHOLE = re.compile(r"\s*[+-]?\d{1,19}\s*", re.ASCII)
_RANGE = re.compile(r"\s*(\d{1,7})\s*(?:-\s*(\d{1,7})\s*)?", re.ASCII)
_NUMBER = re.compile(r"\s*[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?\s*", re.ASCII)


def whole(value: object) -> int:
    """A whole number, given as such or as text."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_WHOLE:
        raise ValueError
    return value


def number(value: object) -> float:
    """A finite number, given as such or as text."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAX_WHOLE:
        raise ValueError
    return float(value)


def truth(value: object) -> bool:
    """True or false, given as such or as a word."""
    if isinstance(value, str) and value.strip() in ("true", "false"):
        return value.strip() == "true"
    if not isinstance(value, bool):
        raise ValueError
    return value


def text(value: object) -> str:
    """A short text."""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ValueError
    return value


def names(value: object) -> tuple[str, ...]:
    """Names or ids: a text is split at commas, a JSON list taken as it is."""
    if isinstance(value, str):
        return tuple(name.strip() for name in value.split(",") if name.strip())
    entries = value if isinstance(value, list) else [value]
    return tuple(text(entry) if isinstance(entry, str) else str(whole(entry)) for entry in entries)


def sizes(value: object) -> int | tuple[float, ...]:
    """How many sizes, or the sizes themselves: a text with a comma is split there, a JSON list taken as it is."""
    if isinstance(value, str) and "," in value:
        value = value.split(",")
    return tuple(number(entry) for entry in value) if isinstance(value, list) else whole(value)


def ranges(value: object) -> tuple[tuple[int, int], ...] | None:
    """Ranges of whole numbers from 1, each with its last, such as 1,3-5; None for the word all."""
    if value == "all":
        return None
    entries = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    if not 1 <= len(entries) <= MAX_RANGES:
        raise ValueError
    return tuple(map(_range, entries))


def _range(value: object) -> tuple[int, int]:
    found = _RANGE.fullmatch(value if isinstance(value, str) else str(whole(value)))
    if found is None:
        raise ValueError
    first, last = int(found[1]), int(found[2] or found[1])
    if not 1 <= first <= last:
        raise ValueError
    return first, last


def box(value: object) -> tuple[int, int, int, int]:
    """Four whole numbers: a text with commas between them, or a JSON list."""
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list) or len(entries) != 4:
        raise ValueError
    left, top, width, height = (whole(entry) for entry in entries)
    return left, top, width, height


def center_and_width(value: object) -> tuple[float, float]:
    """Two numbers: a text with a comma between them, or a JSON list."""
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list) or len(entries) != 2:
        raise ValueError
    center, width = (number(entry) for entry in entries)
    return center, width


def archived(value: object) -> InstanceAddress:
    """The address of an image in an archive, given as text."""
    return InstanceAddress.read(text(value))


def pixel_level(value: object) -> float | str:
    """A number, or the word auto."""
    return value if value == "auto" and isinstance(value, str) else number(value)


def tile_side(value: object) -> int | str:
    """A whole number, or the word input."""
    return value if value == "input" and isinstance(value, str) else whole(value)
