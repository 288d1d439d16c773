"""Explanations for `aex explain`, made here or by a running server: the same files either way."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from app.archive.address import InstanceAddress
from app.cli.archive import ArchiveHere
from app.cli.common import open_explainer, read_settings
from app.cli.remote import as_error, asking, given
from app.client import ClientError, InArchive
from app.engine.token import WorkToken
from app.images.decode import decode
from app.images.render import draw_pixels
from app.reports.reporter import Reporter
from app.service.explaining.sheet import SHOWN_SIDE, SheetRow
from app.service.options import ExplainOptions
from app.web.as_json import explanation_answer
from app.web.file_names import RESULT, files_of

ReportKind = Literal["html", "pdf", "dcm"]


@dataclass(frozen=True)
class Made:
    """One explanation.

    Attributes:
        answer: its JSON, which names its files.
        files: those, by name.
        report: writes one of that kind.
        sheet_row: for the sheet of all images; None where a server made it, which draws none.
    """

    answer: Mapping[str, Any]
    files: Mapping[str, bytes]
    report: Callable[[ReportKind], bytes]
    sheet_row: Callable[[], SheetRow] | None


Make = Callable[[Path, bytes, ExplainOptions], Made]
"""Explains an image, by its path and bytes, or the part of it that the options name.

Of an image of the archive, which has none here, the bytes are empty.
"""


@contextmanager
def explaining_here(
    options: ExplainOptions,
    models: Path | None,
    device: str | None,
    *,
    images: int,
    address: InstanceAddress | None = None,
) -> Iterator[Make]:
    """By a model of this process's own; `address` of an image of the archive, `options` but for the part."""
    settings = read_settings(models, device)
    archive = None if address is None else ArchiveHere(settings, store=options.store)
    limits = settings.decode_limits()
    reporter = Reporter(decode_limits=limits, notice=settings.report_notice, strip_phi=settings.strip_phi)
    with open_explainer(options.model, models, device, images=images) as explainer:

        def make(path: Path, data: bytes, asked: ExplainOptions) -> Made:
            if archive is not None and address is not None:
                data = archive.fetch(address)
            record = explainer.record(data, asked, WorkToken())
            if archive is not None and address is not None and options.store:
                record = archive.file(record, reporter, address)
            result = record.result

            def report(kind: ReportKind) -> bytes:
                write = {"html": reporter.html, "pdf": reporter.pdf, "dcm": reporter.dicom}[kind]
                return write(record, path.name)

            def sheet_row() -> SheetRow:
                pixels = decode(record.upload, limits, options.selection).eight_bits()
                return SheetRow(draw_pixels(pixels, SHOWN_SIDE).pixels, result.prediction, result.explanations)

            files = {file.name: file.content for file in files_of(result)}
            return Made(explanation_answer(result, embed=False), files, report, sheet_row)

        yield make


@contextmanager
def explaining_there(
    server: str, models: Path | None, device: str | None, *, address: InstanceAddress | None = None
) -> Iterator[Make]:
    """By a running server, which fetches an image of its archive itself; raises as `asking` does."""
    named = None if address is None else InArchive(address.study, address.series, address.instance)
    with asking(server, models, device) as client:

        def make(_: Path, data: bytes, options: ExplainOptions) -> Made:
            try:
                files = client.files(named or data, **given(options))
            except ClientError as error:
                raise as_error(error) from error  # here, so that it is said of which image
            answer = json.loads(files.pop(RESULT))
            return Made(answer, files, lambda kind: client.report(answer["id"], kind), None)

        yield make
