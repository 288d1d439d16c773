"""The one table from an error to its status, and the one shape of an error's answer (RFC 9457)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from app import errors
from app.web import errors as web_errors
from app.web.media_types import PROBLEM

PATH = "/problems/"
READY_RETRY_SECONDS = 5


@dataclass(frozen=True)
class ProblemKind:
    """One row of the table: `slug` ends the stable `type`; `meaning` is for its page and the API's description."""

    status: int
    slug: str
    title: str
    meaning: str


INTERNAL = ProblemKind(
    500, "internal-error", "Internal error", "The fault is ours. Its request id finds it in the server's log."
)
NO_SUCH_RESOURCE = ProblemKind(404, "no-such-resource", "No such resource", "Nothing is served at this path.")
METHOD_NOT_ALLOWED = ProblemKind(
    405, "method-not-allowed", "Method not allowed", "The path exists; the header Allow names its methods."
)
INVALID_OPTION = ProblemKind(
    422, "invalid-option", "Invalid option", "An option is unknown, out of range, or not offered by this build."
)
MALFORMED_REQUEST = ProblemKind(
    400, "malformed-request", "Malformed request", "The body is not what its content type says, or has no image."
)

TABLE: Mapping[type[Exception], ProblemKind] = {
    errors.MalformedRequest: MALFORMED_REQUEST,
    errors.OptionError: INVALID_OPTION,
    errors.EmptyImage: ProblemKind(400, "empty-image", "Empty image", "No bytes, or a width or height of zero."),
    errors.DamagedImage: ProblemKind(
        400, "damaged-image", "Damaged image", "The image is of a format that is read here, but truncated or corrupt."
    ),
    errors.NotAnImage: ProblemKind(
        415, "not-an-image", "Not an image", "The bytes are of none of the image formats that are read here."
    ),
    errors.UploadTooLarge: ProblemKind(
        413, "image-too-large", "Image too large", "More bytes than this installation takes."
    ),
    errors.TooManyPixels: ProblemKind(
        413,
        "too-many-pixels",
        "Too many pixels",
        "The image's width times height is more than this installation takes.",
    ),
    errors.DecodeTimeout: ProblemKind(
        413, "decoding-too-costly", "Decoding too costly", "The image took longer to decode than is allowed."
    ),
    errors.DecodeTooLarge: ProblemKind(
        413, "decoding-too-large", "Decoding too large", "The image needs more memory to decode than is allowed."
    ),
    errors.NoSuchPart: ProblemKind(
        422, "no-such-part", "No such part", "The file has no such page or frame, or nothing that a window is for."
    ),
    errors.TooManyParts: ProblemKind(
        413, "too-many-parts", "Too many parts", "More pages or frames than one request is answered of."
    ),
    errors.AnswerTooLarge: ProblemKind(
        413,
        "answer-too-large",
        "Answer too large",
        "Said of a page or frame that has no room beside those before it; ask for it in another request.",
    ),
    errors.ArchiveError: ProblemKind(
        502,
        "archive-error",
        "Archive error",
        "The DICOMweb archive cannot be reached, refuses, or answers with something else than DICOM.",
    ),
    errors.NotInArchive: ProblemKind(
        404, "not-in-archive", "Not in the archive", "The DICOMweb archive has no image of the UIDs that were named."
    ),
    errors.ArchiveTimeout: ProblemKind(
        504, "archive-timeout", "Archive timeout", "The DICOMweb archive did not answer in the time that it may take."
    ),
    errors.UnknownModel: ProblemKind(404, "unknown-model", "Unknown model", "No model of that name is served here."),
    errors.UnknownExplanation: ProblemKind(
        404, "unknown-explanation", "Unknown explanation", "No explanation of that id is worked on or kept here."
    ),
    errors.ExplanationGone: ProblemKind(
        410, "explanation-gone", "Explanation gone", "It was kept for a while, and is no more."
    ),
    errors.UnknownPicture: ProblemKind(
        404, "unknown-picture", "Unknown picture", "The explanation has no such picture of that target."
    ),
    errors.NotFinite: ProblemKind(
        422, "not-finite", "Not finite", "The network gives NaN or infinity for this image and these options."
    ),
    errors.EngineFull: ProblemKind(
        503,
        "full",
        "All places taken",
        "Too many requests are being worked on; the header Retry-After says when to return.",
    ),
    errors.DeadlineExceeded: ProblemKind(
        504,
        "deadline-exceeded",
        "Deadline exceeded",
        "The answer was not ready within the time asked for; of an explanation, reached says how far it had come.",
    ),
    errors.Cancelled: ProblemKind(
        499, "cancelled", "Cancelled", "The client closed the connection before the answer, or cancelled it by its id."
    ),
    web_errors.UnsupportedContentType: ProblemKind(
        415, "unsupported-content-type", "Unsupported content type", "The body is of a media type not read here."
    ),
    web_errors.NotAcceptable: ProblemKind(
        406, "not-acceptable", "Not acceptable", "None of the media types in the header Accept is offered."
    ),
    web_errors.UploadTooSlow: ProblemKind(
        408, "upload-too-slow", "Upload too slow", "The body did not arrive in the time that it may take."
    ),
    web_errors.NotReady: ProblemKind(
        503, "not-ready", "Not ready", "The default model is still being loaded and warmed up."
    ),
}

KINDS: Mapping[str, ProblemKind] = {
    kind.slug: kind for kind in (*TABLE.values(), NO_SUCH_RESOURCE, METHOD_NOT_ALLOWED, INTERNAL)
}


class Reached(BaseModel):
    """How far the search for a target had come by the deadline."""

    target: str
    target_id: int = Field(description="place of the target among the model's classes, from 0")
    step: int = Field(description="steps made")
    steps: int = Field(description="steps to be made at the most")
    probability: float = Field(description="of the target, after as many")


class Problem(BaseModel):
    """An error: what was wrong, and what would be right (RFC 9457)."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "type": "/problems/invalid-option",
                    "title": "Invalid option",
                    "status": 422,
                    "detail": "rho is 'abc'; it must be a number above 0 and at most 1.",
                    "instance": "01JDB6K2N8Q0X5V3T7YH4R9WZC",
                }
            ]
        }
    )

    type: str = Field(description="stable, and a page that explains it")
    title: str
    status: int = Field(description="of HTTP, as of the response itself")
    detail: str
    instance: str = Field(description="the request's id, as in the header X-Request-ID")
    reached: list[Reached] | None = Field(
        default=None, description="by each target of an explanation that was late; left out where none was chosen yet"
    )


def kind_of(error: Exception) -> ProblemKind:
    """The table's row for the error's class, or for the nearest class above it."""
    return next((TABLE[ancestor] for ancestor in type(error).__mro__ if ancestor in TABLE), INTERNAL)


def problem_response(
    kind: ProblemKind,
    detail: str,
    request_id: str,
    headers: Mapping[str, str] | None = None,
    reached: Sequence[errors.Reached] = (),
) -> Response:
    """The answer for an error of this kind."""
    problem = Problem(
        type=PATH + kind.slug,
        title=kind.title,
        status=kind.status,
        detail=detail,
        instance=request_id,
        reached=[Reached(**asdict(one)) for one in reached] or None,
    ).model_dump(exclude_none=True)
    # Escaped to ASCII, because a detail may quote half a surrogate pair that a client sent.
    return Response(json.dumps(problem).encode("ascii"), kind.status, headers, PROBLEM)


def response_for(error: Exception, request_id: str) -> Response:
    """The answer for any error; one that is not in the table is our fault, and its text stays here."""
    kind = kind_of(error)
    if kind is INTERNAL:
        return problem_response(kind, "Something went wrong here; the server's log has it by this id.", request_id)
    headers = {}
    if isinstance(error, errors.EngineFull):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, web_errors.NotReady):
        headers["Retry-After"] = str(READY_RETRY_SECONDS)
    reached = error.reached if isinstance(error, errors.DeadlineExceeded) else ()
    return problem_response(kind, str(error), request_id, headers, reached)
