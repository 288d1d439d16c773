"""The three ways in: a multipart form, JSON with the image in base64, or the image itself. All give the same."""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl

from app.archive.address import InstanceAddress
from app.errors import MalformedRequest
from app.web.errors import UnsupportedContentType
from app.web.media_types import BYTES, DICOM, FORM, JSON, PDF, ZIP
from app.web.multipart import read_parts
from app.web.options.image import DICOMWEB
from app.web.options.read import Given, image_address

IMAGE = "image"
FILES = (BYTES, DICOM, PDF, ZIP)
_LACKING = {
    FORM: "The form has 0 parts named image; it must have exactly one",
    JSON: "The JSON has no member image; it must be the image in base64",
}
MAX_JSON_VALUES = 10_000  # the parser holds the interpreter for as long as it runs; an image is one value
MAX_OPTION_BYTES = 10_000


@dataclass(frozen=True)
class Asked:
    """What a request holds: the image's bytes, and each option as often as it was given, unread.

    `address` is where the image is in the archive, in place of its bytes; None where it was sent.
    """

    image: bytes
    options: Given
    address: InstanceAddress | None = None


def read_request(body: bytes, content_type: str, query: str) -> Asked:
    """Split a request into image and options; options may stand in the query too, whatever the body is.

    Raises:
        MalformedRequest: the body is not what its content type says, or has no image, or an image and its address.
        OptionError: the image's address is none.
        UnsupportedContentType: no way in takes this content type.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type == FORM:
        image, given = _from_form(body, content_type)
    elif media_type == JSON:
        image, given = _from_json(body)
    elif media_type.startswith("image/") or media_type in FILES:
        image, given = body, {}
    else:
        raise UnsupportedContentType(
            "This content type is not read here; send multipart/form-data with a part image, application/json with a"
            " member image in base64, or the image itself as image/png, image/jpeg, …, application/dicom,"
            " application/pdf, application/zip or application/octet-stream."
        )
    return _asked(image, _gathered([*given.items(), *_query(query)]), _LACKING.get(media_type, ""))


def _asked(image: bytes | None, given: Given, lacking: str) -> Asked:
    address = image_address(given)
    if image is None and address is None:
        raise MalformedRequest(f"{lacking}, unless dicomweb names it.")
    if image is not None and address is not None:
        raise MalformedRequest("The request has an image, and names another by dicomweb; leave one of them out.")
    return Asked(image or b"", {name: given[name] for name in given if name != DICOMWEB.name}, address)


def _query(query: str) -> list[tuple[str, list[object]]]:
    try:
        return [(name, [value]) for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=1000)]
    except ValueError:
        raise MalformedRequest("The query has more than 1000 fields.") from None


def _gathered(pairs: Iterable[tuple[str, list[object]]]) -> Given:
    given: Given = {}
    for name, values in pairs:
        given.setdefault(name, []).extend(values)
    return given


def _from_form(body: bytes, content_type: str) -> tuple[bytes | None, Given]:
    images, given = [], []
    for part in read_parts(body, content_type):
        if part.name == IMAGE:
            images.append(part.content)
        elif part.content:  # browsers send the fields that were left empty, too
            given.append((part.name, [_text(part.content)]))
    if len(images) > 1:
        raise MalformedRequest(f"The form has {len(images)} parts named image; it must have exactly one.")
    return next(iter(images), None), _gathered(given)


def _text(content: bytes) -> object:
    try:
        return content[:MAX_OPTION_BYTES].decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedRequest("A field of the form is not UTF-8 text; the image belongs in the part image.") from None


def _from_json(body: bytes) -> tuple[bytes | None, Given]:
    members = _parsed(body)
    if not isinstance(members, dict):
        raise MalformedRequest("The JSON is no object; it must be one with a member image in base64.")
    image = _base64(members.pop(IMAGE)) if IMAGE in members else None
    return image, {name: [value] for name, value in members.items()}


def _parsed(body: bytes) -> object:
    if body.count(b",") > MAX_JSON_VALUES:
        raise MalformedRequest(f"The JSON has more than {MAX_JSON_VALUES} values.")
    try:
        return json.loads(body, object_pairs_hook=_no_twins, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise MalformedRequest("The body is not JSON, or names a member twice.") from None


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member is named twice")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _base64(value: object) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode("".join(value.split()), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise MalformedRequest("The member image is not base64; it must be the image file's bytes in base64.")
