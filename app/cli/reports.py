"""Files for the reports of `aex explain`."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.cli.explaining import ReportKind
from app.errors import OptionError

_KINDS: Mapping[str, ReportKind] = {".html": "html", ".pdf": "pdf", ".dcm": "dcm"}
SUFFIXES = tuple(_KINDS)


def check_reports(files: Sequence[Path]) -> Sequence[Path]:
    """The files; `OptionError` where one is of no kind that is written, or has no folder. Before any work is done."""
    for file in files:
        if file.suffix.lower() not in SUFFIXES:
            raise OptionError(f"report is {file}; it must be a file that ends in {' or '.join(SUFFIXES)}.")
        if not file.parent.is_dir():
            raise OptionError(f"report is {file}, and there is no folder {file.parent}; make it first.")
    return files


def kind_of(file: Path) -> ReportKind:
    """What a report of this name is."""
    return _KINDS[file.suffix.lower()]
