"""Asking the archive: one image by its address, or objects into a study."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import httpx

from app.archive.address import InstanceAddress
from app.archive.related import DICOM, RELATED, body_of, files_in
from app.archive.stored import Outcome, outcomes, unstored
from app.errors import ArchiveError, ArchiveTimeout, NotInArchive, UploadTooLarge
from app.images.signature import is_dicom

ACCEPT = f'{RELATED}; type="{DICOM}"; transfer-syntax=*, {DICOM}; transfer-syntax=*'
AROUND_BYTES = 65_536  # boundaries and heads of parts
MAX_STORED_BYTES = 1_048_576  # of what an archive says of what it was sent
HEAD_BYTES = 65_536  # of a DICOM file, among which its own UID is
STORE_ANSWERS = (200, 202, 409)

Heard = Callable[[int], None]
"""Told of bytes as they arrive; may raise, which ends the fetching."""


class Archive:
    """A DICOMweb archive. Each call has connections of its own, so any event loop will do.

    Args:
        url: such as https://archive.example/dicom-web.
        auth: user and password, or None.
        token: a bearer token, or None.
        max_bytes: of an image.
        max_seconds: for each answer, from the first to the last byte.
    """

    def __init__(
        self, url: str, *, auth: tuple[str, str] | None, token: str | None, max_bytes: int, max_seconds: float
    ) -> None:
        self._url = url.rstrip("/")
        self._auth = auth
        # What is packed might be many times as large once it is unpacked.
        self._headers = {"Accept-Encoding": "identity"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._max_bytes = max_bytes
        self._max_seconds = max_seconds
        self._certificates = httpx.create_ssl_context()

    async def fetch(self, address: InstanceAddress, heard: Heard = lambda _: None) -> bytes:
        """The image's file, as the archive has it.

        Raises:
            NotInArchive: there is none of these UIDs.
            UploadTooLarge: it has more bytes than an image may have.
            ArchiveTimeout: it did not come in time.
            ArchiveError: the archive cannot be reached, refuses, or sends something else.
        """
        async with self._asking("GET", address.path, headers={"Accept": ACCEPT}) as response:
            _require_found(response.status_code)
            body = await _read(response, self._max_bytes + AROUND_BYTES, heard)
        files = await asyncio.to_thread(files_in, body, response.headers.get("content-type", ""))
        if len(files) != 1:
            raise ArchiveError(f"The DICOMweb archive answered with {len(files)} files; one was asked for.")
        (file,) = files
        if len(file) > self._max_bytes:
            raise _too_large(self._max_bytes)
        if not is_dicom(file):
            raise ArchiveError("What the DICOMweb archive sent is no DICOM file.")
        # An explanation of another patient's image would look like any other.
        if not _is_of(address.instance, file):
            raise ArchiveError("What the DICOMweb archive sent is another image than the one that was asked for.")
        return file

    async def store(self, address: InstanceAddress, objects: Mapping[str, bytes]) -> list[Outcome]:
        """Send objects, by their SOP Instance UIDs, into the study of an image; what became of each, in their order.

        It raises nothing: whoever made the objects still has them.
        """
        body, content_type = body_of(objects.values())
        headers = {"Accept": "application/dicom+json", "Content-Type": content_type}
        try:
            async with self._asking("POST", address.study_path, headers=headers, content=body) as response:
                if response.status_code not in STORE_ANSWERS:
                    _require_ok(response.status_code)
                answer = await _read(response, MAX_STORED_BYTES, lambda _: None)
        except ArchiveTimeout as error:
            return unstored(objects, f"{error} Look whether it is there.")
        except (ArchiveError, UploadTooLarge) as error:
            return unstored(objects, str(error))
        return outcomes(list(objects), response.status_code, answer)

    @asynccontextmanager
    async def _asking(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None = None
    ) -> AsyncIterator[httpx.Response]:
        """The head of an answer, whose body is still to be read; a redirect is an answer like any other."""
        try:
            async with (
                asyncio.timeout(self._max_seconds),
                httpx.AsyncClient(
                    auth=self._auth,
                    headers=self._headers,
                    verify=self._certificates,
                    timeout=self._max_seconds,
                    follow_redirects=False,
                ) as client,
                client.stream(method, self._url + path, headers=headers, content=content) as response,
            ):
                yield response
        except (TimeoutError, httpx.TimeoutException):
            raise ArchiveTimeout(f"The DICOMweb archive did not answer within {self._max_seconds:g} s.") from None
        except httpx.HTTPError as error:  # its text may hold the address
            raise ArchiveError(
                f"The DICOMweb archive cannot be reached, or broke off ({type(error).__name__})."
            ) from None


async def _read(response: httpx.Response, max_bytes: int, heard: Heard) -> bytes:
    """The body, byte by byte as it comes."""
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise ArchiveError("The DICOMweb archive packs its answers, though it was asked not to.")
    body = bytearray()
    async for chunk in response.aiter_raw():
        heard(len(chunk))
        body += chunk
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
    return bytes(body)


def _is_of(uid: str, file: bytes) -> bool:
    """Whether a DICOM file has this UID in its head: as its own there, or in its data set, which not all keep alike."""
    return re.search(re.escape(uid).encode("ascii") + rb"(?![0-9.])", file[:HEAD_BYTES]) is not None


def _too_large(max_bytes: int) -> UploadTooLarge:
    return UploadTooLarge(f"What the DICOMweb archive sends is larger than the {max_bytes} bytes that are taken here.")


def _require_found(status: int) -> None:
    if status in (404, 410):
        raise NotInArchive("The DICOMweb archive has no image of these UIDs.")
    _require_ok(status)


def _require_ok(status: int) -> None:
    if status == 200:
        return
    if status in (401, 403):
        raise ArchiveError(f"The DICOMweb archive does not let this server in (status {status}); its operator can.")
    if 300 <= status < 400:
        raise ArchiveError(f"The DICOMweb archive leads elsewhere (status {status}), where this server does not go.")
    raise ArchiveError(f"The DICOMweb archive answered with status {status}.")
