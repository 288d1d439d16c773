"""Bodies of multipart/related and answers to storing, of archives that send anything at all."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from app.archive.related import body_of, files_in
from app.archive.stored import outcomes
from app.errors import ArchiveError
from tests.archive.server import BOUNDARY, parts_of, related

FILES = st.lists(st.binary(max_size=200) | st.sampled_from([b"\r\n", b"--", b"\r\n--", BOUNDARY, b""]), max_size=4)
UID = "1.2.3"


@given(FILES)
def test_what_is_written_is_read_by_other_means(files: list[bytes]) -> None:
    body, content_type = body_of(files)
    assert parts_of(body, content_type) == files
    assert files_in(body, content_type) == files


@given(FILES)
def test_what_others_write_is_read(files: list[bytes]) -> None:
    content_type, body = related(*files)
    assert files_in(body, content_type) == files


@settings(max_examples=300)
@given(
    body=st.binary(max_size=300) | st.just(related(b"abc", b"")[1]),
    content_type=st.text(st.characters(max_codepoint=255), max_size=60)
    | st.from_regex(r'multipart/related;( ?(type|boundary)="?[ -~]{0,80}"?;?){0,3}', fullmatch=True)
    | st.just(related()[0]),
    cut=st.integers(0, 100),
)
def test_any_answer_is_files_or_an_error_of_ours(body: bytes, content_type: str, cut: int) -> None:
    try:
        files = files_in(body[: len(body) - cut], content_type)
    except ArchiveError:
        return
    assert all(isinstance(file, bytes) for file in files)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["00081199", "00081198", "00081155", "00081196", "00081197", "Value", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=300)
@given(answer=JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50))
def test_any_answer_to_storing_is_a_sentence_of_each(answer: bytes) -> None:
    for status in (200, 202, 409):
        (outcome,) = outcomes([UID], status, answer)
        assert outcome.sop_instance_uid == UID
        assert outcome.sentence.endswith(".")
