"""A small DICOMweb archive, in memory behind a port: WADO-RS of one instance and STOW-RS into a study (PS3.18).

It reads and writes multipart/related by Python's own means, so that what the product sends is read by another's code.
"""

import base64
import io
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pydicom
from pydicom import Dataset

from app.archive.address import InstanceAddress

USER, PASSWORD, TOKEN = "reader", "pass-word-of-the-archive", "token.of.the.archive"
BOUNDARY = b"a boundary of its own"


@dataclass
class Heard:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Behaviour = Callable[["Handler"], None]


@dataclass
class TestArchive:
    """What it holds, by path, and what it was asked.

    Attributes:
        url: of its service.
        files: by the path of their instance.
        heard: every request.
        refusing: SOP classes that it takes no objects of.
        behaviour: answers in place of it, where a test wants an archive that is not as it should be.
    """

    __test__ = False

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    refusing: tuple[str, ...] = ()
    behaviour: Behaviour | None = None

    def add(self, data: bytes) -> InstanceAddress:
        """Hold a file; where it is."""
        dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
        address = InstanceAddress(
            str(dataset.StudyInstanceUID), str(dataset.SeriesInstanceUID), str(dataset.SOPInstanceUID)
        )
        self.files[address.path] = data
        return address

    def datasets(self) -> dict[str, Dataset]:
        """What it holds, by SOP Instance UID."""
        read = [pydicom.dcmread(io.BytesIO(data)) for data in self.files.values()]
        return {str(one.SOPInstanceUID): one for one in read}


class Handler(BaseHTTPRequestHandler):
    """Answers for the archive of its server."""

    archive: TestArchive

    def do_GET(self) -> None:
        self._answer("GET", self._retrieve)

    def do_POST(self) -> None:
        self._answer("POST", self._store)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        """Say nothing."""

    def send(self, status: int, content_type: str = "text/plain", body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, method: str, right: Callable[[], None]) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self.archive.heard.append(Heard(method, self.path, dict(self.headers), self.body))
        if not self._is_let_in():
            self.send(401, body=b"who is it?")
        elif self.archive.behaviour is not None:
            self.archive.behaviour(self)
        else:
            right()

    def _is_let_in(self) -> bool:
        basic = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return self.headers.get("Authorization") in (f"Basic {basic}", f"Bearer {TOKEN}")

    def _retrieve(self) -> None:
        data = self.archive.files.get(self.path.removeprefix("/dicom-web"))
        if data is None:
            self.send(404, body=f"nothing at {self.path}".encode())
        elif "multipart/related" not in self.headers.get("Accept", ""):
            self.send(406)
        else:
            self.send(200, *related(data))

    def _store(self) -> None:
        """As the standard says: 200, or 202 where some were refused, or 409 where all were."""
        study, taken, failed = self.path.rpartition("/")[2], [], []
        for data in parts_of(self.body, self.headers["Content-Type"]):
            dataset = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
            if dataset.StudyInstanceUID != study or dataset.SOPClassUID in self.archive.refusing:
                failed.append((dataset, 0x0122 if dataset.SOPClassUID in self.archive.refusing else 0xC000))
            else:
                self.archive.add(data)
                taken.append(dataset)
        answer = Dataset()
        answer.ReferencedSOPSequence = [_item(one) for one in taken]
        answer.FailedSOPSequence = [_item(one, FailureReason=why) for one, why in failed]
        status = 409 if failed and not taken else 202 if failed else 200
        self.send(status, "application/dicom+json", answer.to_json().encode())


def related(*files: bytes, kind: str = "application/dicom") -> tuple[str, bytes]:
    """Content type and body."""
    body = b"".join(b"\r\n--%b\r\nContent-Type: %b\r\n\r\n%b" % (BOUNDARY, kind.encode(), file) for file in files)
    return (
        f'multipart/related; type="{kind}"; boundary="{BOUNDARY.decode()}"',
        body + b"\r\n--%b--\r\n" % BOUNDARY,
    )


def parts_of(body: bytes, content_type: str) -> list[bytes]:
    """The contents of the parts."""
    media_type, _, boundary = content_type.partition("; boundary=")
    assert media_type == 'multipart/related; type="application/dicom"'
    before, *parts, after = (b"\r\n" + body).split(b"\r\n--" + boundary.strip('"').encode())
    assert (before.strip(), after.strip()) == (b"", b"--")
    heads = [part.partition(b"\r\n\r\n")[0] for part in parts]
    assert all(head.strip() == b"Content-Type: application/dicom" for head in heads)
    return [part.partition(b"\r\n\r\n")[2] for part in parts]


def _item(dataset: Dataset, **more: int) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    for keyword, value in more.items():
        setattr(item, keyword, value)
    return item


@contextmanager
def archive_serving() -> Iterator[TestArchive]:
    """An archive behind a port of its own, until the end of the block."""
    archive = TestArchive()

    class OfThisArchive(Handler):
        pass

    OfThisArchive.archive = archive
    with ThreadingHTTPServer(("127.0.0.1", 0), OfThisArchive) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        archive.url = f"http://127.0.0.1:{server.server_port}/dicom-web"
        try:
            yield archive
        finally:
            server.shutdown()
            thread.join()


def trickling(handler: Handler) -> None:
    """A byte every tenth of a second, for ever."""
    handler.send_response(200)
    handler.send_header("Content-Type", related(b"")[0])
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"\r")
            time.sleep(0.1)
    except OSError:
        return


def endless(handler: Handler) -> None:
    """Bytes as fast as they are taken."""
    handler.send_response(200)
    handler.send_header("Content-Type", related(b"")[0])
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(bytes(65_536))
    except OSError:
        return
