"""Files in a folder or a zip, found but not yet read.

A zip's entries are read where they lie and nothing is unpacked, so its names are words to show and never paths.
"""

import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from app.errors import DataError

MAX_ZIP_ENTRIES = 5_000_000
MAX_UNPACKED_BYTES = 256 * 2**30  # more than memory holds once decoded; a small zip can promise far more


class Found(NamedTuple):
    """One file: the parts of its path below the folder or zip, and how to read at most so many bytes of it."""

    parts: tuple[str, ...]
    read: Callable[[int], bytes]


@contextmanager
def open_files(path: Path) -> Iterator[list[Found]]:
    """The files of a folder or zip, which can be read until the block ends, by several threads at once.

    Raises:
        DataError: `path` is neither, or a zip that promises more than is read.
    """
    if path.is_dir():
        yield list(_in_folder(path))
        return
    try:
        archive = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; give an npz, or a folder or zip of images.") from None
    except (OSError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path} is not a whole zip. Data is an npz, a folder or zip of train/CLASS/IMAGE and test/CLASS/IMAGE,"
            " or the folder cifar-10-batches-py."
        ) from error
    with archive:
        yield _in_zip(path, archive)


def _in_folder(path: Path) -> Iterator[Found]:
    """Links are followed, as data sets often stand for files kept elsewhere, but into no folder twice."""
    walked = {path.resolve()}
    for folder, folders, names in os.walk(path, followlinks=True):
        below = {name: Path(folder, name).resolve() for name in folders}
        folders[:] = [name for name in folders if below[name] not in walked]
        walked.update(below.values())
        for name in names:
            file = Path(folder, name)
            yield Found(file.relative_to(path).parts, partial(_read_file, file))


def _read_file(file: Path, most: int) -> bytes:
    if not file.is_file():  # a pipe would be waited on for ever
        raise FileNotFoundError
    with file.open("rb") as stream:
        return stream.read(most)


def _in_zip(path: Path, archive: zipfile.ZipFile) -> list[Found]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    size = sum(entry.file_size for entry in entries)  # reading ends there, whatever the entry goes on to hold
    if len(entries) > MAX_ZIP_ENTRIES or size > MAX_UNPACKED_BYTES:
        raise DataError(
            f"{path} promises {len(entries)} files of {size} bytes together; at most {MAX_ZIP_ENTRIES} files"
            f" and {MAX_UNPACKED_BYTES} bytes are read. Give a smaller part of it."
        )
    return [
        Found(tuple(part for part in entry.filename.split("/") if part), partial(_read_entry, archive, entry))
        for entry in entries
    ]


def _read_entry(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, most: int) -> bytes:
    with archive.open(entry) as stream:
        return stream.read(most)
