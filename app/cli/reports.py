"""Reports of `aex explain`."""

from collections.abc import Sequence
from pathlib import Path

from app.errors import OptionError
from app.reports.reporter import Reporter
from app.service.results import Record

SUFFIXES = (".html", ".pdf", ".dcm")


def check_reports(files: Sequence[Path]) -> Sequence[Path]:
    """The files; `OptionError` where one is of no kind that is written, or has no folder. Before any work is done."""
    for file in files:
        if file.suffix.lower() not in SUFFIXES:
            raise OptionError(f"report is {file}; it must be a file that ends in {' or '.join(SUFFIXES)}.")
        if not file.parent.is_dir():
            raise OptionError(f"report is {file}, and there is no folder {file.parent}; make it first.")
    return files


def write_report(file: Path, reporter: Reporter, record: Record, image_name: str) -> None:
    """The report of an explanation, as the file's name asks for."""
    write = {".pdf": reporter.pdf, ".dcm": reporter.dicom}.get(file.suffix.lower(), reporter.html)
    file.write_bytes(write(record, image_name))
