"""Multipart bodies, read and written."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MalformedRequest
from app.web.file_names import NamedFile
from app.web.multipart import MAX_PARTS, Part, read_parts, write_parts

CONTENT_TYPE = "multipart/form-data; boundary=b"
BODY = b'--b\r\nContent-Disposition: form-data; name="image"; filename="x"\r\n\r\n\x00\r\n\xff\r\n--b--\r\n'


def test_a_part_is_read_byte_for_byte() -> None:
    assert read_parts(BODY, CONTENT_TYPE) == [Part("image", b"\x00\r\n\xff")]


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=5))
def test_what_is_written_is_read_again(contents: list[bytes]) -> None:
    outgoing = [NamedFile(f"part-{i}.png", "image/png", content) for i, content in enumerate(contents)]
    pieces, content_type = write_parts(outgoing)
    body = b"".join(pieces)
    assert read_parts(body, content_type) == [Part(file.name, file.content) for file in outgoing]


@pytest.mark.parametrize(
    ("body", "content_type", "why"),
    [
        (BODY, "multipart/form-data", "no boundary"),
        (BODY, "multipart/form-data; boundary=", "no boundary"),
        (BODY, f"multipart/form-data; boundary={'x' * 300}", "not multipart"),
        (BODY, "multipart/form-data; boundary=other", "not multipart"),
        (BODY[:-6], CONTENT_TYPE, "cut off"),
        (b"", CONTENT_TYPE, "cut off"),
        (BODY.replace(b'name="image"; ', b""), CONTENT_TYPE, "no name"),
        (b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * (MAX_PARTS + 1), CONTENT_TYPE, "more than"),
    ],
)
def test_a_body_that_is_none_is_refused(body: bytes, content_type: str, why: str) -> None:
    with pytest.raises(MalformedRequest, match=why):
        read_parts(body, content_type)


@given(st.binary(max_size=300), st.sampled_from([b"", BODY, BODY[:40], b"--b\r\n"]))
def test_any_bytes_are_parts_or_refused(noise: bytes, start: bytes) -> None:
    with contextlib.suppress(MalformedRequest):
        read_parts(start + noise, CONTENT_TYPE)
