"""Nothing of a patient is left behind by a server that read, explained, filed or refused their scans."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.archive.server import PASSWORD, TOKEN, USER, TestArchive, archive_serving
from tests.end_to_end.conftest import started_server
from tests.end_to_end.traces import require_nothing_left
from tests.images.apart.files import dicom_file
from tests.images.apart.private import private_words
from tests.web.serving import save_tiny

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]  # pydicom's, of broken files

NAMES = (
    "CT_small.dcm", "MR_small.dcm", "MR_small_RLE.dcm", "MR_truncated.dcm", "693_J2KI.dcm", "examples_ybr_color.dcm",
    "examples_palette.dcm", "examples_overlay.dcm", "SC_rgb_jpeg_gdcm.dcm", "SC_rgb_rle_16bit.dcm", "JPEG-lossy.dcm",
    "JPEG2000-embedded-sequence-delimiter.dcm", "ExplVR_BigEnd.dcm", "rtdose.dcm", "rtplan.dcm", "test-SR.dcm",
    "waveform_ecg.dcm", "badVR.dcm", "image_dfl.dcm", "SC_rgb_small_odd.dcm",
)  # fmt: skip
OBJECTS = "secondary_capture,parametric_map"
WITH_OBJECTS = ("CT_small.dcm", "rtdose.dcm")
ARCHIVED = ("CT_small.dcm", "MR_small.dcm", "examples_ybr_color.dcm", "JPEG-lossy.dcm")
EXPLAIN = "/v1/explanations"
ROUTES = {
    "/v1/predictions": {},
    EXPLAIN: {"steps": "1", "targets": "predicted"},
    "/v1/margins": {},
    "/v1/audits": {"steps": "1", "methods": "gradcam", "goals": "move"},
}
"""Every route that takes an image, with options that take little time."""
REPORTS = ("", "/report.html", "/report.pdf", "/image.png", "/heatmap/cat.png", "/heatmap/dog.png")


@contextmanager
def server(folder: Path, **settings: str) -> Iterator[httpx.Client]:
    """A client of a server process that keeps its log, its cache and its temporary files below this folder."""
    save_tiny(folder / "models" / "tiny", seed=1)
    (folder / "tmp").mkdir()
    settings |= {
        "AEX_MODELS_DIR": str(folder / "models"),
        "AEX_DEFAULT_MODEL": "tiny",
        "AEX_LOG_FORMAT": "json",
        "AEX_THREADS": "1",
        "AEX_STEP_BACKEND": "eager",
        "TMPDIR": str(folder / "tmp"),
    }
    with started_server(folder / "log", **settings) as address, httpx.Client(base_url=address, timeout=60) as client:
        yield client


def said(answer: httpx.Response) -> str:
    """What it says in words: without its pictures, in which any short word may stand, and its objects."""
    if answer.headers["content-type"] in ("application/pdf", "image/png"):
        return str(answer.headers)
    return str(answer.headers) + re.sub(r'"data": "[^"]*"|data:image/[a-z]+;base64,[A-Za-z0-9+/=]*', "", answer.text)


def test_no_log_file_or_error_has_a_word_of_a_patients(tmp_path: Path) -> None:
    statuses: Counter[int] = Counter()
    secrets: set[str] = set()
    with server(tmp_path) as client:
        for name in NAMES:
            words = private_words(name)
            label = max(words, default="patient") + ".dcm"
            answer = client.post(
                EXPLAIN,
                files={"image": (label, dicom_file(name))},
                data={"steps": "1", "targets": "predicted", "include": OBJECTS if name in WITH_OBJECTS else "heatmap"},
            )
            statuses[answer.status_code] += 1
            frames = client.post("/v1/predictions", files={"image": (label, dicom_file(name))}, data={"frames": "all"})
            assert not [word for word in words if word in frames.text], name
            assert not [word for word in words if word in said(answer)], name
            secrets |= words
            assert (name in WITH_OBJECTS) == ("parametric_map" in said(answer)), name
        metrics = client.get("/metrics").text
    assert set(statuses) == {200, 400, 415}
    assert statuses[200] >= 12
    assert len(secrets) > 80
    require_nothing_left(tmp_path, metrics, secrets)


@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_truncated.dcm"])
def test_no_route_stream_or_kept_page_has_a_word_of_a_patients(tmp_path: Path, name: str) -> None:
    words = private_words(name)
    label = max(words) + ".dcm"
    statuses: Counter[int] = Counter()
    with server(tmp_path) as client:

        def ask(path: str, **headers: str) -> httpx.Response:
            file = {"image": (label, dicom_file(name))}
            return client.post(
                path,
                files=file,
                data={**ROUTES[path], "include": "heatmap"} if path == EXPLAIN else ROUTES[path],
                headers=headers,
            )

        answers = [ask(path) for path in ROUTES]
        answers += [ask(EXPLAIN, Accept=kind) for kind in ("text/event-stream", "text/html", "application/pdf")]
        kept = answers[1].json().get("id", "none")
        answers += [client.get(f"{EXPLAIN}/{kept}{what}") for what in REPORTS]
        for answer in answers:
            statuses[answer.status_code] += 1
            assert not [word for word in words if word in said(answer)], answer.url
        metrics = client.get("/metrics").text
    assert set(statuses) <= {200, 400, 404}
    assert statuses[200] >= (11 if name == "CT_small.dcm" else 0)
    require_nothing_left(tmp_path, metrics, words)


def test_an_archive_leaves_no_word_of_its_patients_and_none_of_its_secrets(tmp_path: Path) -> None:
    """Fetched by every route, stored, missing, refused, sent as something else and not sent at all."""
    secrets = {PASSWORD, TOKEN}
    with archive_serving() as archive:
        settings = {"URL": archive.url, "USER": USER, "PASSWORD": PASSWORD}
        settings = {f"AEX_DICOMWEB_{name}": value for name, value in settings.items()}
        with server(tmp_path, AEX_MAX_DICOMWEB_SECONDS="2", **settings) as client:
            answers = list(_asked_of(archive, client, secrets))
            metrics = client.get("/metrics").text
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 400, 404, 502, 504}
    assert statuses[200] == 3 * (len(ROUTES) + 1)
    assert len(secrets) > 30
    for answer in answers:
        assert not [secret for secret in secrets if secret in said(answer)]
    require_nothing_left(tmp_path, metrics, secrets)


def _asked_of(archive: TestArchive, client: httpx.Client, secrets: set[str]) -> Iterator[httpx.Response]:
    def ask(named: str, path: str = EXPLAIN, **options: str) -> httpx.Response:
        fields = {"dicomweb": named, **ROUTES[path], **options}
        return client.post(path, files={field: (None, value) for field, value in fields.items()})

    for name in ARCHIVED:
        address = archive.add(dicom_file(name))
        uids = (address.study, address.series, address.instance)
        secrets |= {*private_words(name), *uids}
        for path in ROUTES:
            yield ask("/".join(uids), path)
        yield ask("/".join(uids), store="true", include="secondary_capture,report")
    yield ask(f"{address.study}/{address.series}/1.2.3.4")
    behaviours: list[Callable[..., None]] = [
        lambda handler: handler.send(401, "text/plain", address.study.encode()),
        lambda handler: handler.send(500, "text/plain", address.study.encode()),
        lambda handler: handler.send(307, Location=f"{archive.url}/{address.study}"),
        lambda handler: handler.send(200, "text/html", address.study.encode()),
        lambda handler: handler.connection.close(),
        lambda handler: handler.rfile.read(1),
    ]
    for behaviour in behaviours:
        archive.behaviour = behaviour
        yield ask("/".join(uids))
