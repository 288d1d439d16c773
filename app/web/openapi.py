"""The API's description: what FastAPI cannot see, because bodies are read by hand in three media types."""

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from app.images.decode import ACCEPTED
from app.web.media_types import DICOM, FORM, HTML, JSON, PDF, PNG, PROBLEM, ZIP
from app.web.options.image import DICOMWEB
from app.web.options.option import Option
from app.web.problems import KINDS, Problem

STATIC = Path(__file__).parent / "static"
EXAMPLE_IMAGE = STATIC / "example.png"
ABOUT = """
Classifies images with robust networks, and explains each answer by attacking it: how would the image have to change, by
how little, to be more (or less) of a class? Three ways to send an image, with the same options: a form, JSON with the
image in base64, or the image itself with options in the query. Where there is a DICOMweb archive, a form or JSON may
name an image of it instead (`dicomweb`). [An image to try](docs/example.png).
"""
PART_EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "a frame of a DICOM file, a part of it, in a window of one's own": {
        "image": "example.dcm",
        "frame": 2,
        "window": [300, 800],
        "region": [2, 2, 28, 28],
    },
    "the second page of a TIFF, within ten seconds": {"image": "example.tiff", "page": 2, "timeout_ms": 10_000},
}
"""Of every route that takes an image."""
_IMAGE_FILE = {"type": "string", "format": "binary", "description": ACCEPTED}

Schema = dict[str, Any]


def request_description(options: Sequence[Option], examples: Mapping[str, Mapping[str, object]]) -> Schema:
    """Request body and query of a route that takes an image.

    Args:
        options: what the route takes.
        examples: by summary, JSON members beside the example image; `image` names another file of `STATIC`.
    """
    schemas = {option.name: dict(option.schema) for option in (DICOMWEB, *options)}
    as_json = {
        "schema": _object({"image": {"type": "string", "contentEncoding": "base64", "minLength": 1}, **schemas}),
        "examples": {
            summary: {"summary": summary, "value": _with_image(members)}
            for summary, members in {**examples, **PART_EXAMPLES}.items()
        },
    }
    # Without an example the API page would send words of its own for what has no default; empty is not given.
    unset = {name: schema if "default" in schema else {**schema, "example": ""} for name, schema in schemas.items()}
    as_form = {"schema": _object({"image": _IMAGE_FILE, **unset})}
    as_file = {"schema": _IMAGE_FILE}
    content = {JSON: as_json, FORM: as_form, **dict.fromkeys(("image/*", DICOM, PDF, ZIP), as_file)}
    return {
        "requestBody": {"required": True, "content": content},
        "parameters": [_parameter(option) for option in options],
    }


def _with_image(members: Mapping[str, object]) -> Schema:
    image = STATIC / str(members.get("image", EXAMPLE_IMAGE.name))
    return {**members, "image": base64.b64encode(image.read_bytes()).decode("ascii")}


def problems(*slugs: str) -> dict[int | str, Schema]:
    """Responses of a route: each status with the problems it can mean."""
    by_status: dict[int | str, list[str]] = {}
    for kind in (KINDS[slug] for slug in slugs):
        by_status.setdefault(kind.status, []).append(f"{kind.title}: {kind.meaning}")
    content = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": " ".join(texts), "content": content} for status, texts in by_status.items()}


IMAGE_PROBLEMS = problems(
    "malformed-request",
    "empty-image",
    "damaged-image",
    "unknown-model",
    "not-acceptable",
    "upload-too-slow",
    "image-too-large",
    "too-many-pixels",
    "decoding-too-costly",
    "decoding-too-large",
    "no-such-part",
    "too-many-parts",
    "not-in-archive",
    "archive-error",
    "archive-timeout",
    "not-an-image",
    "unsupported-content-type",
    "invalid-option",
    "not-finite",
    "full",
    "deadline-exceeded",
)
"""Of every route that takes an image."""


_BINARY: Schema = {"schema": {"type": "string", "format": "binary"}}
FILES: Schema = {
    **dict.fromkeys((PNG, DICOM, FORM, ZIP, PDF), _BINARY),
    HTML: {"schema": {"type": "string"}},
}
"""What an explanation may be besides JSON: a picture, a DICOM object, all files in one, or the report."""


def describe_api(app: FastAPI) -> None:
    """Let the app describe itself, with the shape that all its errors have."""

    def openapi() -> Schema:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the description


def _described(app: FastAPI) -> Schema:
    description = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = description["components"]["schemas"]
    for unsent in ("HTTPValidationError", "ValidationError"):  # FastAPI's own errors
        schemas.pop(unsent, None)
    for operation in (operation for path in description["paths"].values() for operation in path.values()):
        if "HTTPValidationError" in str(operation["responses"].get("422")):
            del operation["responses"]["422"]
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs"), "Problem": problem}
    return description


def _object(properties: Schema) -> Schema:
    either: Schema = {"oneOf": [{"required": ["image"]}, {"required": [DICOMWEB.name]}]}
    return {"type": "object", **either, "properties": properties, "additionalProperties": False}


def _parameter(option: Option) -> Schema:
    """The option in the query. Its default is not repeated: API pages send it, and a body may give the option too."""
    schema = {key: value for key, value in option.schema.items() if key != "default"}
    lists = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    return {"name": option.name, "in": "query", "required": False, "schema": schema, **lists}
