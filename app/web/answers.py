"""One result in each of the media types it can be sent as."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import quote

from starlette.responses import Response

from app.errors import OptionError, UnknownPicture
from app.reports.reporter import Reporter
from app.service.options import OBJECTS, PICTURES, SHEET, SWEEP_PICTURES, ExplainOptions
from app.service.results.audit import AuditResult
from app.service.results.explanation import ExplainResult, Record
from app.service.results.facts import PredictResult
from app.service.results.margin import MarginResult
from app.web.as_json import audit_answer, explanation_answer, margin_answer, prediction_answer
from app.web.file_names import (
    ARRAYS,
    AUDIT_RESULT,
    RESULT,
    SHEET_FILE,
    NamedFile,
    audit_files_of,
    files_of,
    object_name,
    picture_name,
)
from app.web.media_types import DICOM, EVENTS, FORM, HTML, JSON, PDF, PNG, ZIP
from app.web.multipart import write_parts
from app.web.pieces import Piece, PiecesResponse, json_pieces, zip_pieces


def prediction_response(result: PredictResult) -> Response:
    """The prediction as JSON."""
    return Response(json_bytes(prediction_answer(result)), media_type=JSON)


def margin_response(result: MarginResult) -> Response:
    """The robustness margin as JSON."""
    return Response(json_bytes(margin_answer(result)), media_type=JSON)


def require_sendable(options: ExplainOptions, media_type: str) -> None:
    """Refuse, before any work is done, what could not be sent.

    Raises:
        OptionError: a picture or DICOM object is to be sent and none was asked for.
    """
    if media_type == PNG and not set(options.include) & {*PICTURES, *SWEEP_PICTURES, SHEET}:
        raise OptionError("include names no picture, but image/png was asked for; add heatmap, or accept JSON.")
    if media_type == DICOM and not set(options.include) & set(OBJECTS):
        raise OptionError(
            f"include names no DICOM object, but application/dicom was asked for; add {' or '.join(OBJECTS)}."
        )


def explanation_response(record: Record, media_type: str, reporter: Reporter) -> Response:
    """The explanation as one of `RESULT_TYPES`, and where it stands while it is kept."""
    result = record.result
    if media_type in REPORT_WRITERS:
        response = REPORT_WRITERS[media_type](record, reporter)
    else:
        response = RESULT_WRITERS[media_type](result)
    response.headers["Vary"] = "Accept"
    if result.stored:
        response.headers["AEX-Stored"] = f"{sum(one.stored for one in result.stored)} of {len(result.stored)}"
    if result.kept_until is not None:
        response.headers["Content-Location"] = f"explanations/{result.id}"  # whatever a proxy put before it
    return response


def html_report(record: Record, reporter: Reporter) -> Response:
    """The report, to be read in a browser."""
    return Response(reporter.html(record), media_type=HTML)


def pdf_report(record: Record, reporter: Reporter) -> Response:
    """The report, to be printed and filed."""
    headers = {"Content-Disposition": f'inline; filename="explanation-{record.result.id}.pdf"'}
    return Response(reporter.pdf(record), headers=headers, media_type=PDF)


def dicom_report(record: Record, reporter: Reporter) -> Response:
    """The report, to be sent to an archive of DICOM."""
    headers = {"Content-Disposition": f'attachment; filename="explanation-{record.result.id}.dcm"'}
    return Response(reporter.dicom(record), headers=headers, media_type=DICOM)


def picture_response(result: ExplainResult, picture: str, target: str) -> Response:
    """One picture of one target, which is named by its name or its id.

    Raises:
        UnknownPicture: there is none; says which there are.
    """
    by_name = {str(one.target_id): one for one in result.explanations} | {
        one.target: one for one in result.explanations
    }
    if target not in by_name or picture not in by_name[target].pictures:
        there = [f"{name}/{one.target_id}.png" for one in result.explanations for name in one.pictures]
        raise UnknownPicture(f"This explanation has no such picture; it has {', '.join(there) or 'none'}.")
    return Response(by_name[target].pictures[picture].png, media_type=PNG)


def explanation_json(result: ExplainResult) -> list[Piece]:
    """The explanation as JSON, in one line."""
    return json_pieces(explanation_answer(result, embed=False), files_of(result), {"arrays": ARRAYS})


def _as_json(result: ExplainResult) -> Response:
    return PiecesResponse(explanation_json(result), media_type=JSON)


def _as_picture(result: ExplainResult) -> Response:
    """The first target's first picture, or where none was asked for, the sheet of all targets.

    What belongs to it is in the headers, in ASCII by percent-encoding.
    """
    headers = {
        "AEX-Id": result.id,
        "AEX-Model": quote(result.model.name),
        "AEX-Predicted": quote(result.prediction.best.name),
    }
    if result.second_opinion is not None:
        headers["AEX-Second-Opinion"] = quote(result.second_opinion.prediction.best.name)
    first = result.explanations[0]
    if not first.pictures and result.sheet is not None:
        headers |= {"Content-Disposition": f'inline; filename="{SHEET_FILE}"', "AEX-Picture": SHEET}
        return Response(result.sheet.png, headers=headers, media_type=PNG)
    if not first.pictures:  # of one that is kept, which was first asked for as JSON
        raise UnknownPicture("This explanation has no picture; ask for one by include when you send the image.")
    name, drawn = next(iter(first.pictures.items()))
    headers |= {
        "Content-Disposition": f'inline; filename="{picture_name(first, name)}"',
        "AEX-Target": quote(first.target),
        "AEX-Direction": first.direction,
        "AEX-Picture": name,
        "AEX-Probability-Before": f"{first.probability_before:.6f}",
        "AEX-Probability-After": f"{first.probability_after:.6f}",
        "AEX-Perturbation-RMS": f"{first.perturbation_rms:.6f}",
        "AEX-Steps": str(first.steps),
        "AEX-Cut-Short": str(first.cut_short).lower(),
    }
    return Response(drawn.png, headers=headers, media_type=PNG)


def _as_object(result: ExplainResult) -> Response:
    """The first target's first DICOM object."""
    first = result.explanations[0]
    if not first.objects:
        raise UnknownPicture("This explanation has no DICOM object; ask for one by include when you send the image.")
    kind, content = next(iter(first.objects.items()))
    headers = {"Content-Disposition": f'attachment; filename="{object_name(first, kind)}"', "AEX-Id": result.id}
    return Response(content, headers=headers, media_type=DICOM)


def _as_form(result: ExplainResult) -> Response:
    return form_response(_files(result))


def _as_zip(result: ExplainResult) -> Response:
    return zip_response(_files(result), f"explanation-{result.id}.zip")


def form_response(files: Iterable[NamedFile]) -> Response:
    """Files as the parts of a multipart/form-data body."""
    pieces, content_type = write_parts(files)
    return PiecesResponse(pieces, headers={"Content-Type": content_type})


def zip_response(files: Iterable[NamedFile], name: str) -> Response:
    """Files in a zip of this name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return PiecesResponse(zip_pieces(files), headers=headers, media_type=ZIP)


RESULT_WRITERS: Mapping[str, Callable[[ExplainResult], Response]] = {
    JSON: _as_json,
    PNG: _as_picture,
    DICOM: _as_object,
    FORM: _as_form,
    ZIP: _as_zip,
}
REPORT_WRITERS: Mapping[str, Callable[[Record, Reporter], Response]] = {HTML: html_report, PDF: pdf_report}
RESULT_TYPES = (*RESULT_WRITERS, *REPORT_WRITERS)
EXPLANATION_TYPES = (*RESULT_TYPES, EVENTS)
"""The best offer comes first; events are written by `app.web.stream`, from `explanation_json`."""


def audit_response(result: AuditResult, media_type: str) -> Response:
    """The audit as one of `AUDIT_TYPES`."""
    response = AUDIT_WRITERS[media_type](result)
    response.headers["Vary"] = "Accept"
    return response


def _audit_json(result: AuditResult) -> Response:
    return Response(json_bytes(audit_answer(result)), media_type=JSON)


def _audit_form(result: AuditResult) -> Response:
    return form_response(_audit_files(result))


def _audit_zip(result: AuditResult) -> Response:
    return zip_response(_audit_files(result), f"audit-{result.id}.zip")


AUDIT_WRITERS: Mapping[str, Callable[[AuditResult], Response]] = {
    JSON: _audit_json,
    FORM: _audit_form,
    ZIP: _audit_zip,
}
AUDIT_TYPES = tuple(AUDIT_WRITERS)


def _audit_files(result: AuditResult) -> Iterator[NamedFile]:
    """The JSON, then what it names."""
    yield NamedFile(AUDIT_RESULT, JSON, json_bytes(audit_answer(result, embed=False)))
    yield from audit_files_of(result)


def _files(result: ExplainResult) -> Iterator[NamedFile]:
    """The JSON, then what it names."""
    yield NamedFile(RESULT, JSON, json_bytes(explanation_answer(result, embed=False)))
    yield from files_of(result)


def json_bytes(answer: Mapping[str, object]) -> bytes:
    """An answer as JSON, in one line."""
    return json.dumps(answer, ensure_ascii=False, allow_nan=False).encode()
