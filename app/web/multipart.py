"""Reading and writing multipart bodies, in memory: what a client uploads never touches the disk."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import MalformedRequest
from app.web.file_names import NamedFile

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

MAX_PARTS = 1000


@dataclass(frozen=True)
class Part:
    """One part: its field's name and its bytes."""

    name: str
    content: bytes


def read_parts(body: bytes, content_type: str) -> list[Part]:
    """Parts of a multipart/form-data body.

    Raises:
        MalformedRequest: it is none.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise MalformedRequest("The content type names no boundary; it must be multipart/form-data; boundary=….")
    reader = _Reader()
    try:
        parser = MultipartParser(boundary, reader.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise MalformedRequest(
            "The body is not multipart/form-data with the boundary its content type names."
        ) from None
    if not reader.ended:
        raise MalformedRequest("The multipart body is cut off: its closing boundary is missing.")
    return reader.parts


def write_parts(files: Iterable[NamedFile]) -> tuple[list[bytes], str]:
    """A multipart/form-data body of files, whose names are of safe characters, in pieces; and its content type."""
    boundary = secrets.token_hex(16)  # too long to occur in a part by chance
    chunks = []
    for file in files:
        head = (
            f"--{boundary}\r\n"
            f'Content-Disposition: form-data; name="{file.name}"; filename="{file.name}"\r\n'
            f"Content-Type: {file.media_type}\r\n\r\n"
        )
        chunks += [head.encode("ascii"), file.content, b"\r\n"]
    chunks.append(f"--{boundary}--\r\n".encode("ascii"))
    return chunks, f"multipart/form-data; boundary={boundary}"


class _Reader:
    """Collects what the parser calls out."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._header = bytearray()
        self._value = bytearray()
        self._disposition = b""
        self._content: list[memoryview] = []  # of random bytes they are many, and would come to the body once more

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin_part,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._content.append(memoryview(data)[start:end]),
            "on_part_end": self._end_part,
            "on_end": self._end,
        }

    def _begin_part(self) -> None:
        if len(self.parts) == MAX_PARTS:
            raise MalformedRequest(f"The body has more than {MAX_PARTS} parts.")
        self._disposition, self._content = b"", []

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header.clear()
        self._value.clear()

    def _end_part(self) -> None:
        name = parse_options_header(self._disposition)[1].get(b"name")
        if not name:
            raise MalformedRequest('A part has no name; each needs Content-Disposition: form-data; name="…".')
        self.parts.append(Part(name.decode("utf-8", "replace"), b"".join(self._content)))

    def _end(self) -> None:
        self.ended = True
