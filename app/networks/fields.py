"""Reading JSON that may be wrong anywhere: every member is taken once, checked, and named where it is at fault."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeGuard

from app.errors import CheckpointError

MAX_JSON_BYTES = 8 * 2**20


def read_json(file: Path) -> object:
    """The JSON value of a file of at most `MAX_JSON_BYTES`."""
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_JSON_BYTES + 1)
    except OSError as error:
        raise CheckpointError(f"{file} cannot be read: {error.strerror}.") from None
    if len(text) > MAX_JSON_BYTES:
        raise CheckpointError(f"{file} is larger than {MAX_JSON_BYTES} bytes, the most that is read.")
    return parse_json(text, file)


def parse_json(text: bytes, file: Path) -> object:
    """The JSON value of a text; NaN, infinity and overflowing numbers are refused, and `file` is blamed."""
    try:
        value: object = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{file} is not JSON: {error}.") from None
    return value


def _finite(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number):
        raise ValueError(f"{literal[:40]} is not a finite number")
    return number


class Fields:
    """The members of one JSON object; call `done` at the end, so that a member nobody took is an error."""

    def __init__(self, file: Path, where: str, value: object) -> None:
        self._file, self._where = file, where
        if not isinstance(value, dict):
            self.fail("", value, "an object")
        self._left: dict[str, object] = dict(value)

    def fail(self, name: str, found: object, right: str) -> NoReturn:
        """Raise, naming the file and the field, what was found and what would be right."""
        shown = json.dumps(found, default=str)
        shown = shown if len(shown) <= 60 else f"{shown[:60]}…"
        field = f"{self._where}.{name}".strip(".")
        raise CheckpointError(f"{self._file}: {field or 'the whole'} is {shown}; it must be {right}.")

    def take(self, name: str, right: str) -> object:
        """The member as it is; `right` says what it must be where it is missing."""
        if name not in self._left:
            raise CheckpointError(f"{self._file}: {f'{self._where}.{name}'.strip('.')} is missing; it must be {right}.")
        return self._left.pop(name)

    def has(self, name: str) -> bool:
        """Whether the member is there, and was not taken."""
        return name in self._left

    def whole(self, name: str, lowest: int, highest: int) -> int:
        right = f"a whole number from {lowest} to {highest}"
        value = self.take(name, right)
        if not _is_whole(value) or not lowest <= value <= highest:
            self.fail(name, value, right)
        return value

    def positive(self, name: str, highest: float) -> float:
        right = f"a number above 0 and at most {highest:g}"
        value = self.take(name, right)
        if not _is_number(value) or not 0 < value <= highest:
            self.fail(name, value, right)
        return float(value)

    def number(self, name: str, lowest: float, highest: float) -> float:
        right = f"a number from {lowest:g} to {highest:g}"
        value = self.take(name, right)
        if not _is_number(value) or not lowest <= value <= highest:
            self.fail(name, value, right)
        return float(value)

    def text(self, name: str, right: str, fits: Callable[[str], object]) -> str:
        value = self.take(name, right)
        if not isinstance(value, str) or not fits(value):
            self.fail(name, value, right)
        return value

    def one_of(self, name: str, allowed: tuple[str, ...]) -> str:
        return self.text(name, f"one of {', '.join(allowed)}", lambda value: value in allowed)

    def wholes(self, name: str, count: int, highest: int) -> tuple[int, ...]:
        """A list of 1 to `count` whole numbers from 1 to `highest`."""
        right = f"a list of 1 to {count} whole numbers from 1 to {highest}"
        values = self._list(name, right)
        numbers = [value for value in values if _is_whole(value) and 1 <= value <= highest]
        if len(numbers) != len(values) or not 1 <= len(values) <= count:
            self.fail(name, values, right)
        return tuple(numbers)

    def numbers(self, name: str, count: int, lowest: float, highest: float) -> tuple[float, ...]:
        """A list of exactly `count` numbers, each above `lowest` and at most `highest`."""
        right = f"a list of {count} numbers above {lowest:g} and at most {highest:g}"
        values = self._list(name, right)
        numbers = [float(value) for value in values if _is_number(value) and lowest < value <= highest]
        if not len(numbers) == len(values) == count:
            self.fail(name, values, right)
        return tuple(numbers)

    def texts(self, name: str, right: str, fits: Callable[[str], object]) -> tuple[str, ...]:
        values = self._list(name, right)
        texts = []
        for value in values:
            if not isinstance(value, str) or not fits(value):
                self.fail(name, value, right)
            texts.append(value)
        return tuple(texts)

    def plain(self, name: str) -> dict[str, object]:
        """An object of whatever is inside."""
        value = self.take(name, "an object")
        if not isinstance(value, dict):
            self.fail(name, value, "an object")
        return value

    def nested(self, name: str) -> "Fields":
        return Fields(self._file, f"{self._where}.{name}".strip("."), self.take(name, "an object"))

    def done(self) -> None:
        for name in self._left:
            field = f"{self._where}.{name}".strip(".")
            raise CheckpointError(f"{self._file}: {field[:60]} is not a field of this format; it must be left out.")

    def _list(self, name: str, right: str) -> list[object]:
        value = self.take(name, right)
        if not isinstance(value, list):
            self.fail(name, value, right)
        return value


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
