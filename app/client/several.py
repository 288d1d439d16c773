"""What the server answered about several pages or frames of one file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.client.answers import Json
from app.client.errors import ClientError, Problem
from app.client.wire import problem_of

Answer = TypeVar("Answer")

Numbers = str | list[int]
""""all", or numbers and ranges such as "1,3-5", or a list of numbers, from 1."""


@dataclass(frozen=True)
class Part(Generic[Answer]):
    """One page or frame: its number, and either an answer or the problem that it has."""

    number: int
    answer: Answer | None
    problem: Problem | None

    def get(self) -> Answer:
        """The answer; raises the problem where there is none."""
        if self.answer is None:
            raise self.problem or ClientError("The server gave no answer about this part.")
        return self.answer


def parts_given(pages: Numbers | None, frames: Numbers | None) -> dict[str, Any]:
    """The option that asks for them.

    Raises:
        ClientError: neither is given, or both.
    """
    given: dict[str, Any] = {name: value for name, value in (("pages", pages), ("frames", frames)) if value is not None}
    if len(given) != 1:
        raise ClientError('Give pages, of a PDF or TIFF, or frames, of other files: "all", or such as "1,3-5".')
    return given


def parts_of(said: Json, answer_of: Callable[[Json], Answer]) -> list[Part[Answer]]:
    """Of the JSON of several parts."""
    ((name, entries),) = said.items()
    return [_part(entry[name.removesuffix("s")], entry, answer_of) for entry in entries]


def _part(number: int, entry: Json, answer_of: Callable[[Json], Answer]) -> Part[Answer]:
    if "problem" in entry:
        return Part(number, None, problem_of(entry["problem"], entry["problem"]["status"]))
    return Part(number, answer_of(entry), None)
