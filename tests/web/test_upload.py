"""The three ways in give the same."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import MalformedRequest
from app.web.errors import UnsupportedContentType
from app.web.upload import Asked, read_request

IMAGE = b"\x89PNG\x00\xff"
BASE64 = base64.b64encode(IMAGE).decode()
FORM = (
    b'--b\r\nContent-Disposition: form-data; name="rho"\r\n\r\n0.1\r\n'
    b'--b\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x89PNG\x00\xff\r\n--b--\r\n'
)
JSON = "application/json"


def test_a_form_holds_image_and_options() -> None:
    assert read_request(FORM, "multipart/form-data; boundary=b", "") == Asked(IMAGE, {"rho": ["0.1"]})


def test_an_empty_field_of_a_form_is_not_given() -> None:
    assert read_request(FORM.replace(b"0.1", b""), "multipart/form-data; boundary=b", "") == Asked(IMAGE, {})


def test_json_holds_image_and_options_as_they_are() -> None:
    body = json.dumps({"image": BASE64, "rho": 0.1, "targets": ["cat", 1]}).encode()
    assert read_request(body, JSON, "") == Asked(IMAGE, {"rho": [0.1], "targets": [["cat", 1]]})


@pytest.mark.parametrize(
    "content_type",
    ["image/png", "IMAGE/X-ANYTHING; a=b", "application/octet-stream", "application/pdf", "application/dicom"],
)
def test_an_image_comes_as_it_is_with_options_in_the_query(content_type: str) -> None:
    assert read_request(IMAGE, content_type, "rho=0.1&targets=cat&targets=1") == Asked(
        IMAGE, {"rho": ["0.1"], "targets": ["cat", "1"]}
    )


def test_base64_may_be_broken_into_lines() -> None:
    assert read_request(json.dumps({"image": f"{BASE64[:4]}\r\n{BASE64[4:]}\n"}).encode(), JSON, "").image == IMAGE


def test_an_option_of_body_and_query_is_given_twice() -> None:
    body = json.dumps({"image": BASE64, "rho": 0.1}).encode()
    assert read_request(body, JSON, "rho=0.2").options == {"rho": [0.1, "0.2"]}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\xff", "not JSON"),
        (b'{"image": NaN}', "not JSON"),
        (b'{"image": ' + b"9" * 5000 + b"}", "not JSON"),
        (b'{"image": ' + b"[" * 100_000, "not JSON"),
        (b'{"image": "", "image": ""}', "names a member twice"),
        (b'{"image": [' + b"1," * 10_001 + b"1]}", "more than 10000 values"),
        (b"[]", "no object"),
        (b"{}", "no member image"),
        (b'{"image": 3}', "not base64"),
        (b'{"image": "%%%"}', "not base64"),
        (b'{"image": "\xc3\xa9"}', "not base64"),
        (b'{"image": "QQ"}', "not base64"),
    ],
)
def test_json_that_cannot_be_read_is_refused_with_the_reason(body: bytes, why: str) -> None:
    with pytest.raises(MalformedRequest, match=why):
        read_request(body, JSON, "")


@pytest.mark.parametrize("parts", [0, 2])
def test_a_form_has_exactly_one_image(parts: int) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n' * parts
    body += b'--b\r\nContent-Disposition: form-data; name="rho"\r\n\r\n0.1\r\n--b--\r\n'
    with pytest.raises(MalformedRequest, match=f"has {parts} parts named image; it must have exactly one"):
        read_request(body, "multipart/form-data; boundary=b", "")


def test_a_field_that_is_no_text_is_refused() -> None:
    body = FORM.replace(b"0.1", b"\xff\xfe")
    with pytest.raises(MalformedRequest, match="not UTF-8"):
        read_request(body, "multipart/form-data; boundary=b", "")


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/msword", "application", "json"])
def test_another_content_type_is_refused_with_what_is_read(content_type: str) -> None:
    with pytest.raises(UnsupportedContentType, match="send multipart/form-data with a part image"):
        read_request(IMAGE, content_type, "")


def test_a_query_of_too_many_fields_is_refused() -> None:
    with pytest.raises(MalformedRequest, match="more than 1000 fields"):
        read_request(IMAGE, "image/png", "&".join(["a=1"] * 1001))


@given(
    st.binary(max_size=300)
    | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps).map(str.encode),
    st.sampled_from(["multipart/form-data; boundary=b", JSON, "image/png", "text/plain", "multipart/form-data"])
    | st.text(),
    st.text(),
)
def test_any_request_is_read_or_refused(body: bytes, content_type: str, query: str) -> None:
    with contextlib.suppress(MalformedRequest, UnsupportedContentType):
        assert isinstance(read_request(body, content_type, query).image, bytes)
