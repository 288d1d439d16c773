"""multipart/related bodies of DICOM files (PS3.18, 8.6.1), in memory."""

import secrets
from collections.abc import Iterable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from app.errors import ArchiveError

RELATED, DICOM = "multipart/related", "application/dicom"


def files_in(body: bytes, content_type: str) -> list[bytes]:
    """The DICOM files of an answer, which may also be one file as it is.

    Raises:
        ArchiveError: the answer holds something else, or is cut off.
    """
    media_type, parameters = parse_options_header(content_type)
    if media_type.lower() == DICOM.encode():
        return [body]
    kind = parameters.get(b"type", DICOM.encode()).lower()
    boundary = parameters.get(b"boundary")
    if media_type.lower() != RELATED.encode() or kind != DICOM.encode() or not boundary:
        raise ArchiveError(f"The DICOMweb archive answered with something else than {RELATED} of {DICOM}.")
    files = _Files()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": files.begin,
                "on_part_data": files.take,
                "on_end": files.end,
            },
        )
        parser.write(body)
        parser.finalize()
    except FormParserError:
        raise ArchiveError("The DICOMweb archive's answer is not the multipart body that it says it is.") from None
    if not files.ended:
        raise ArchiveError("The DICOMweb archive's answer is cut off: its closing boundary is missing.")
    return [b"".join(chunks) for chunks in files.chunks]


def body_of(files: Iterable[bytes]) -> tuple[bytes, str]:
    """A body of DICOM files, and its content type."""
    boundary = secrets.token_hex(16)  # too long to occur in a file by chance
    head = f"--{boundary}\r\nContent-Type: {DICOM}\r\n\r\n".encode("ascii")
    body = b"".join(part for file in files for part in (head, file, b"\r\n"))
    return body + f"--{boundary}--\r\n".encode("ascii"), f'{RELATED}; type="{DICOM}"; boundary={boundary}'


class _Files:
    """Collects what the parser calls out."""

    def __init__(self) -> None:
        self.chunks: list[list[bytes]] = []
        self.ended = False

    def begin(self) -> None:
        self.chunks.append([])

    def take(self, data: bytes, start: int, end: int) -> None:
        self.chunks[-1].append(data[start:end])

    def end(self) -> None:
        self.ended = True
