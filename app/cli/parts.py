"""Pages and frames of files on the command line: which are asked for, a bar over them, and which were used."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from app.cli.common import console, each_file, errors, progress_bar
from app.cli.remote import is_about_the_image
from app.errors import AexError, DataError, OptionError
from app.images.decode import DecodeLimits
from app.images.parts import PartKind, count_parts
from app.images.tiff_pages import MAX_PAGES
from app.service.options import PredictOptions
from app.service.several import OF_ONE_PART, PartsAsked
from app.web.options.read import parts_asked

Options = TypeVar("Options", bound=PredictOptions)
Result = TypeVar("Result")

PageNumbers = Annotated[
    str | None, typer.Option("--pages", help="all, or such as 1,3-5: pages of a PDF or TIFF, each by itself.")
]
FrameNumbers = Annotated[
    str | None,
    typer.Option("--frames", help="all, or such as 1,3-5: frames of a DICOM, HEIC or GIF file, or slices of a zip."),
]


@dataclass(frozen=True)
class ImagePart:
    """A file, or one page or frame of it; `number` is None for the whole file."""

    path: Path
    data: bytes
    kind: PartKind | None = None
    number: int | None = None

    @property
    def title(self) -> str:
        return str(self.path) if self.number is None else f"{self.path}, {self.kind} {self.number}"

    def options(self, options: Options) -> Options:
        """The options that ask for it."""
        if self.number is None:
            return options
        return replace(options, page=self.number) if self.kind == "page" else replace(options, frame=self.number)

    def folder(self, of_file: Path) -> Path:
        """Where its files go."""
        return of_file if self.number is None else of_file / f"{self.kind}-{self.number}"


class PartByPart:
    """The parts of files, one after the other; what is wrong with one of several is said, and the others go on."""

    def __init__(self, asked: PartsAsked | None, limits: DecodeLimits) -> None:
        self._asked = asked
        self._limits = limits
        self._made = 0
        self._failed = 0

    def each(self, paths: list[Path], what: str) -> Iterator[ImagePart]:
        """All of them, with a progress bar where there is more than one.

        Raises:
            DataError: a file cannot be read, or after all of them, that some could not be answered.
        """
        with progress_bar(hidden=len(paths) < 2 and self._asked is None) as bar:
            task = bar.add_task(what, total=None if self._asked else len(paths), live="")
            total = 0
            for path, data in each_file(paths):
                parts = self._parts(path, data)
                total += len(parts)
                bar.update(task, total=total if self._asked else len(paths))
                for part in parts:
                    yield part
                    bar.advance(task)
        if self._failed:
            raise DataError(f"{self._failed} of {self._failed + self._made} could not be answered, as said above.")

    def attempted(self, part: ImagePart, work: Callable[[], Result]) -> Result | None:
        """What the work gives; None where it is one part of several, and what is wrong with it was said."""
        try:
            made = work()
        except OptionError:
            raise  # the same for every image
        except AexError as error:
            if part.number is None or not (isinstance(error, OF_ONE_PART) or is_about_the_image(error)):
                raise DataError(f"{part.title}: {error}") from error
            errors.print(f"{part.title}: {error}", highlight=False, soft_wrap=True)
            self._failed += 1
            return None
        self._made += 1
        return made

    def _parts(self, path: Path, data: bytes) -> list[ImagePart]:
        asked = self._asked
        if asked is None:
            return [ImagePart(path, data)]
        try:
            numbers = asked.numbers(lambda: count_parts(data, self._limits, asked.kind), MAX_PAGES)
        except AexError as error:
            raise DataError(f"{path}: {error}") from error
        return [ImagePart(path, data, asked.kind, number) for number in numbers]


def read_parts(pages: str | None, frames: str | None, page: int | None, frame: int | None) -> PartsAsked | None:
    """What `--pages` or `--frames` ask for, None for one part of each file.

    Raises:
        OptionError: they cannot be read, or contradict each other or `--page` and `--frame`.
    """
    return parts_asked({"pages": [pages], "frames": [frames], "page": [page], "frame": [frame]})[0]


def part_used(image: Mapping[str, Any], region: tuple[int, int, int, int] | None) -> str:
    """Which page or frame, window and region an answer is about; empty where it is the whole of a plain image.

    Args:
        image: of an answer's JSON.
        region: as it was asked for.
    """
    said = [
        f"{kind} {image[kind]} of {image[f'{kind}s']}" for kind in ("page", "frame") if (image[f"{kind}s"] or 1) > 1
    ]
    if image["window"] is not None:
        said.append("window {center:g}, {width:g} (center, width)".format(**image["window"]))
    if region is not None:
        said.append("region {}, {}, {}, {} (left, top, width, height)".format(*region))
    return "; ".join(said)


def print_part_used(answer: Mapping[str, Any], region: tuple[int, int, int, int] | None) -> None:
    """A line of `part_used`, where there is something to say."""
    used = part_used(answer["image"], region)
    if used:
        console.print(used, highlight=False)
