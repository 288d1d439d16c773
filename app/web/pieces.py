"""Answers sent piece by piece: what many megabytes of pictures become in JSON, forms and zips is nowhere whole."""

import base64
import io
import json
import re
import secrets
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.web.file_names import NamedFile

_STEP_BYTES = 3 * 2**18  # a multiple of 3: base64 of the parts joined is that of the whole


@dataclass(frozen=True)
class InBase64:
    """Bytes that are sent as base64, which takes a third more."""

    content: bytes

    def __len__(self) -> int:
        return 4 * (-(-len(self.content) // 3))

    def __iter__(self) -> Iterator[bytes]:
        view = memoryview(self.content)
        for at in range(0, len(view), _STEP_BYTES):
            yield base64.b64encode(view[at : at + _STEP_BYTES])


Piece = bytes | InBase64


class PiecesResponse(Response):
    """A response of these pieces, one after the other."""

    def __init__(
        self, pieces: Sequence[Piece], *, headers: Mapping[str, str] | None = None, media_type: str | None = None
    ) -> None:
        self.pieces = pieces
        length = {"Content-Length": str(sum(map(len, pieces)))}
        super().__init__(None, headers={**length, **(headers or {})}, media_type=media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        for chunk in chunks(self.pieces):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def chunks(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """The bytes that are sent, in parts."""
    for piece in pieces:
        if isinstance(piece, InBase64):
            yield from piece
        elif piece:
            yield piece


def chunks_of(response: Response) -> Iterator[bytes]:
    """The body of any response, in parts."""
    return chunks(response.pieces if isinstance(response, PiecesResponse) else [bytes(response.body)])


def json_pieces(
    answer: Mapping[str, Any], files: Iterable[NamedFile], bare: Mapping[str, str] | None = None
) -> list[Piece]:
    """JSON in one line that holds in base64 the files which the answer names.

    Args:
        answer: plain JSON values; an object with `data` and `file` names one of the files, which becomes its `data`.
        files: that are named.
        bare: members of the answer that are a file's content alone, by its name.
    """
    contents = {file.name: file.content for file in files}
    mark = secrets.token_hex(16)  # nothing that a client or a model chose can hold it
    alone = {member: f"{mark}:{name}" for member, name in (bare or {}).items() if name in contents}
    text = json.dumps({**_marked(answer, contents, mark), **alone}, ensure_ascii=False, allow_nan=False)
    pieces: list[Piece] = []
    for number, part in enumerate(re.split(f'{mark}:([^"]*)', text)):
        pieces.append(InBase64(contents[part]) if number % 2 else part.encode())
    return pieces


def _marked(value: Any, contents: Mapping[str, bytes], mark: str) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_marked(entry, contents, mark) for entry in value]
    if not isinstance(value, dict):
        return value
    marked = {name: _marked(entry, contents, mark) for name, entry in value.items()}
    if "data" in value and value.get("file") in contents:
        marked |= {"data": f"{mark}:{value['file']}", "file": None}
    return marked


def zip_pieces(files: Iterable[NamedFile]) -> list[bytes]:
    """A zip of files, unpacked: what they hold is packed already."""
    sink = _Chunks()
    with zipfile.ZipFile(sink, "w") as archive:
        for file in files:
            archive.writestr(file.name, file.content)
    return sink.chunks


class _Chunks(io.RawIOBase):
    """A file of what was written, by reference. A chunk may be written again in place, as zip does with its headers."""

    def __init__(self) -> None:
        super().__init__()
        self.chunks: list[bytes] = []
        self._starts: dict[int, int] = {}
        self._at = self._end = 0

    def write(self, data: Any) -> int:  # noqa: ANN401 - as declared above: whatever has bytes
        content = data if isinstance(data, bytes) else bytes(data)
        if self._at in self._starts:
            self.chunks[self._starts[self._at]] = content
        elif content:
            self._starts[self._at] = len(self.chunks)
            self.chunks.append(content)
        self._at += len(content)
        self._end = max(self._end, self._at)
        return len(content)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence] + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True
