"""Answers in pieces are, put together, the answers that they would be whole."""

import base64
import io
import json
import zipfile

import pytest
from starlette.responses import Response

from app.web.file_names import NamedFile
from app.web.pieces import InBase64, PiecesResponse, chunks_of, json_pieces, zip_pieces

BIG = bytes(range(256)) * 9001
FILES = [NamedFile("big.png", "image/png", BIG), NamedFile("small.png", "image/png", b"ab"), NamedFile("n", "x", b"")]


@pytest.mark.parametrize("length", [0, 1, 2, 3, 786_431, 786_432, 786_433])
def test_base64_in_parts_is_that_of_the_whole(length: int) -> None:
    piece = InBase64(BIG[:length])
    assert b"".join(piece) == base64.b64encode(BIG[:length])
    assert len(piece) == len(base64.b64encode(BIG[:length]))


def test_json_holds_the_files_that_it_names() -> None:
    picture = {"data": None, "file": "big.png", "width": 3}
    answer = {
        "name": 'dögs "and" \\ cats',
        "pictures": {"a": picture},
        "list": [{"data": None, "file": "n"}],
        "own": None,
    }
    response = PiecesResponse(json_pieces(answer, FILES, {"own": "small.png"}), media_type="application/json")
    body = b"".join(chunks_of(response))
    assert int(response.headers["content-length"]) == len(body)
    assert json.loads(body) == {
        **answer,
        "pictures": {"a": {**picture, "file": None, "data": base64.b64encode(BIG).decode()}},
        "list": [{"data": "", "file": None}],
        "own": base64.b64encode(b"ab").decode(),
    }


def test_json_without_files_is_plain() -> None:
    answer = {"data": "own", "file": None, "other": {"data": 1, "file": "elsewhere.png"}}
    assert json.loads(b"".join(chunks_of(PiecesResponse(json_pieces(answer, FILES))))) == answer


def test_a_zip_in_pieces_is_read_as_any_other_and_copies_no_file() -> None:
    pieces = zip_pieces(FILES)
    assert any(piece is BIG for piece in pieces)
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {file.name: file.content for file in FILES}
        assert all(info.flag_bits & 0x08 == 0 for info in archive.infolist())  # sizes stand before what they are of


def test_any_response_has_chunks() -> None:
    assert b"".join(chunks_of(Response("text"))) == b"text"
