"""Images that are named in place of being sent, and objects that go back to the archive: over HTTP, both ways."""

import base64
import io
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.archive.address import InstanceAddress
from app.web.work import SPARE_THREADS
from tests.archive.server import PASSWORD, USER, TestArchive, archive_serving, endless, trickling
from tests.images.apart.files import dicom_file
from tests.images.apart.private import private_words
from tests.web.serving import PLACES, Served, picture, serving, small_settings, wait_until
from tests.web.streams import EVENTS, read_events

EXPLAIN = "/v1/explanations"
ROUTES = ("/v1/predictions", EXPLAIN, "/v1/margins", "/v1/audits")
CT, US = dicom_file("CT_small.dcm"), dicom_file("examples_rgb_color.dcm")
SECONDS = 2
ALL = "secondary_capture,parametric_map,report"


@pytest.fixture(scope="module")
def held() -> Iterator[TestArchive]:
    with archive_serving() as archive:
        yield archive


@pytest.fixture
def archive(held: TestArchive) -> TestArchive:
    """As it is new."""
    held.files.clear()
    held.heard.clear()
    held.refusing, held.behaviour = (), None
    return held


@pytest.fixture(scope="module")
def fetching(models_dir: Path, held: TestArchive) -> Iterator[Served]:
    """A server whose archive that is."""
    with serving(
        small_settings(
            models_dir,
            dicomweb_url=held.url,
            dicomweb_user=USER,
            dicomweb_password=PASSWORD,
            max_dicomweb_seconds=SECONDS,
        )
    ) as served:
        yield served


def text(address: InstanceAddress) -> str:
    return f"{address.study}/{address.series}/{address.instance}"


def ask(served: Served, address: InstanceAddress | str, path: str = EXPLAIN, **options: Any) -> httpx.Response:
    """In JSON; the fewest steps."""
    named = address if isinstance(address, str) else text(address)
    few = {"steps": 1} if path in (EXPLAIN, "/v1/audits") else {}
    return served.client.post(path, json={"dicomweb": named, **few, **options})


@pytest.mark.parametrize("path", ROUTES)
def test_an_image_of_the_archive_is_answered_as_one_that_is_sent(
    fetching: Served, archive: TestArchive, path: str
) -> None:
    named = ask(fetching, archive.add(CT), path).raise_for_status().json()
    few = {"steps": "1"} if path in (EXPLAIN, "/v1/audits") else {}
    sent = fetching.client.post(path, files={"image": CT}, data=few).raise_for_status().json()
    for answer in (named, sent):
        for varying in ("id", "created", "timing_ms", "kept_until"):
            answer.pop(varying, None)
    assert named == sent
    assert [one.method for one in archive.heard] == ["GET"]


def test_a_form_may_name_it_too(fetching: Served, archive: TestArchive) -> None:
    form = {"dicomweb": (None, text(archive.add(CT))), "top_k": (None, "1")}
    answer = fetching.client.post("/v1/predictions", files=form).raise_for_status().json()
    assert answer["image"]["format"] == "DICOM"
    assert len(answer["prediction"]["top"]) == 1


def test_objects_and_report_are_stored_beside_the_image(fetching: Served, archive: TestArchive) -> None:
    address = archive.add(CT)
    answer = ask(fetching, address, include=ALL.split(","), store=True, targets=["all"]).raise_for_status()
    stored = answer.json()["stored"]
    assert [(one["kind"], one["target"]) for one in stored] == [
        *((kind, one["target"]) for one in answer.json()["explanations"] for kind in ALL.split(",")[:2]),
        ("report", None),
    ]
    assert all(one["stored"] and one["sentence"] == "The archive stored it." for one in stored)
    there = archive.datasets()
    assert set(there) == {address.instance, *(one["sop_instance_uid"] for one in stored)}
    assert {str(one.StudyInstanceUID) for one in there.values()} == {address.study}
    assert {str(one.PatientName) for one in there.values()} == {"CompressedSamples^CT1"}
    classes = [there[one["sop_instance_uid"]].SOPClassUID.name for one in stored]
    assert classes == [*["Secondary Capture Image Storage", "Parametric Map Storage"] * 3, "Encapsulated PDF Storage"]
    capture = answer.json()["explanations"][0]["objects"]["secondary_capture"]["data"]
    assert base64.b64decode(capture) in archive.files.values()
    assert answer.headers["AEX-Stored"] == "7 of 7"
    again = fetching.client.get(f"{EXPLAIN}/{answer.json()['id']}").json()
    assert again["stored"] == stored


def test_what_the_archive_refuses_is_said_of_each(fetching: Served, archive: TestArchive) -> None:
    archive.refusing = ("1.2.840.10008.5.1.4.1.1.30",)  # Parametric Map Storage
    address = archive.add(CT)
    answer = ask(fetching, address, include=ALL.split(","), store=True, targets=["predicted"]).raise_for_status()
    capture, parametric_map, report = answer.json()["stored"]
    assert (capture["stored"], parametric_map["stored"], report["stored"]) == (True, False, True)
    assert parametric_map["sentence"] == "The archive refused it: it takes no objects of this class (0122H)."
    assert answer.headers["AEX-Stored"] == "2 of 3"


def test_an_archive_that_takes_nothing_does_not_lose_the_explanation(fetching: Served, archive: TestArchive) -> None:
    address = archive.add(CT)

    def only_reads(handler: Any) -> None:
        handler.send(503) if handler.body else handler._retrieve()

    archive.behaviour = only_reads
    answer = ask(fetching, address, include=["secondary_capture", "heatmap"], store=True).raise_for_status().json()
    assert [one["sentence"] for one in answer["stored"]] == ["The DICOMweb archive answered with status 503."] * 2
    assert answer["explanations"][0]["pictures"]["heatmap"]["data"]


def test_a_stream_and_a_zip_say_what_was_stored(fetching: Served, archive: TestArchive) -> None:
    asked = {"dicomweb": text(archive.add(CT)), "include": ["report"], "store": True, "steps": 1}
    with fetching.client.stream("POST", EXPLAIN, json=asked, headers=EVENTS) as answer:
        assert answer.status_code == 200
        *_, result = read_events(answer.iter_lines())
    assert [one["stored"] for one in result.data["stored"]] == [True]
    zipped = fetching.client.post(EXPLAIN, json=asked, headers={"Accept": "application/zip"}).raise_for_status()
    with zipfile.ZipFile(io.BytesIO(zipped.content)) as files:
        assert b'"stored": true' in files.read("explanation.json")
    assert len(archive.files) == 3


@pytest.mark.parametrize(
    ("asked", "status", "slug", "sentence"),
    [
        ({"dicomweb": "1.2/../1.2"}, 422, "invalid-option", "dicomweb must be given once, as STUDY/SERIES/INSTANCE"),
        ({"dicomweb": ["1.2/1.2/1.2"]}, 422, "invalid-option", "three UIDs of digits and dots"),
        ({"dicomweb": "http://127.0.0.1:9/1.2/1.3"}, 422, "invalid-option", "three UIDs"),
        ({"dicomweb": None}, 400, "malformed-request", "no member image"),
        ({"dicomweb": "1.2/1.2/1.2", "image": ""}, 400, "malformed-request", "names another by dicomweb"),
        ({"dicomweb": "1.2/1.2/1.2", "rho": 7}, 422, "invalid-option", "rho is 7"),
        ({"dicomweb": "1.2/1.2/1.2", "store": True}, 422, "invalid-option", "include names nothing to store"),
        ({"dicomweb": "1.2/1.2/1.2", "include": ["report"]}, 422, "invalid-option", "which is for store"),
        ({"image": "QUJD", "store": True, "include": ["report"]}, 422, "invalid-option", "name one by dicomweb"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_the_archive_is_asked(
    fetching: Served, archive: TestArchive, asked: dict[str, Any], status: int, slug: str, sentence: str
) -> None:
    answer = fetching.client.post(EXPLAIN, json=asked)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert sentence in answer.json()["detail"]
    assert archive.heard == []


def test_a_form_that_sends_an_image_and_names_another_is_refused(fetching: Served) -> None:
    answer = fetching.client.post(EXPLAIN, files={"image": CT}, data={"dicomweb": "1.2/1.2/1.2"})
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/malformed-request")


@pytest.mark.parametrize(
    ("behaviour", "status", "slug"),
    [
        (None, 404, "not-in-archive"),
        (lambda handler: handler.send(401), 502, "archive-error"),
        (lambda handler: handler.send(200, "text/html", b"<p>Roe^Jane"), 502, "archive-error"),
        (lambda handler: handler.send(200, "application/dicom", CT), 502, "archive-error"),
        (trickling, 504, "archive-timeout"),
        (endless, 413, "image-too-large"),
    ],
)
def test_an_archive_that_is_not_as_it_should_be_is_a_problem(
    fetching: Served, archive: TestArchive, behaviour: Any, status: int, slug: str
) -> None:
    archive.behaviour = behaviour
    answer = ask(fetching, "1.2.77.5/1.2.77.5.1/1.2.77.5.1.1")
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{slug}")
    assert "1.2.77" not in answer.text
    assert "Roe" not in answer.text
    wait_until(lambda: fetching.held_bytes == 0)


def test_a_file_that_the_archive_has_in_part_is_refused_as_an_upload_is(fetching: Served, archive: TestArchive) -> None:
    address = archive.add(CT)
    archive.files[address.path] = CT[:30_000]
    answer = ask(fetching, address)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/damaged-image")


def test_what_is_fetched_counts_among_the_uploads_that_are_held(
    fetching: Served, archive: TestArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = archive.add(CT)
    monkeypatch.setattr(fetching.body_bound, "max_held_bytes", len(CT) // 2)
    answer = ask(fetching, address)
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/full")
    assert int(answer.headers["Retry-After"]) >= 1
    wait_until(lambda: fetching.held_bytes == 0)


def test_a_slow_archive_holds_up_nobody_else(fetching: Served, archive: TestArchive) -> None:
    archive.behaviour = trickling
    many = 3 * (PLACES + SPARE_THREADS)
    with ThreadPoolExecutor(many) as threads:
        slow = [threads.submit(ask, fetching, "1.2.77.5/1.2.77.5.1/1.2.77.5.1.1") for _ in range(many)]
        wait_until(lambda: len(archive.heard) == many)
        began = time.monotonic()
        fetching.client.post("/v1/predictions", files={"image": picture()}).raise_for_status()
        assert time.monotonic() - began < SECONDS / 2
        assert {one.result().status_code for one in slow} == {504}


def test_the_requests_own_time_bounds_the_fetching(fetching: Served, archive: TestArchive) -> None:
    archive.behaviour, began = trickling, time.monotonic()
    answer = ask(fetching, "1.2.77.5/1.2.77.5.1/1.2.77.5.1.1", timeout_ms=200)
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/deadline-exceeded")
    assert time.monotonic() - began < SECONDS


def test_no_word_of_the_patients_is_in_an_answer(fetching: Served, archive: TestArchive) -> None:
    """Of logs and files, the privacy test of the whole server says the same."""
    address = archive.add(CT)
    answer = ask(fetching, address, include=ALL.split(","), store=True, targets=["predicted"]).raise_for_status()
    ask(fetching, replace(address, instance="1.2.3"))
    said = answer.text
    for drawn in answer.json()["explanations"][0]["objects"].values():
        said = said.replace(drawn["data"], "")
    words = private_words("CT_small.dcm") | {address.study, address.series, address.instance}
    assert '"stored": true' in said
    assert not [word for word in words if word in said]
    assert PASSWORD not in said + repr(fetching.parts)


def test_an_installation_without_an_archive_says_so(client: httpx.Client) -> None:
    answer = client.post(EXPLAIN, json={"dicomweb": "1.2/1.2/1.2"})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-option")
    assert "has no DICOMweb archive (AEX_DICOMWEB_URL)" in answer.json()["detail"]
    stored = client.post(
        EXPLAIN, files={"image": picture()}, data={"include": "secondary_capture", "store": "true"}
    ).json()
    assert "has no DICOMweb archive" in stored["detail"]


def test_an_installation_that_strips_does_not_store(models_dir: Path, archive: TestArchive) -> None:
    settings = small_settings(models_dir, dicomweb_url=archive.url, strip_phi=True)
    with serving(settings) as served:
        answer = ask(served, "1.2/1.2/1.2", include=["secondary_capture"], store=True)
    assert answer.status_code == 422
    assert "without their study (AEX_STRIP_PHI)" in answer.json()["detail"]


def test_a_map_that_cannot_be_made_is_refused_before_anything_is_stored(fetching: Served, archive: TestArchive) -> None:
    answer = ask(fetching, archive.add(dicom_file("SC_rgb_rle.dcm")), include=["parametric_map"], store=True)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/no-such-part")
    assert [one.method for one in archive.heard] == ["GET"]


def test_frames_of_an_image_of_the_archive_are_answered_and_not_stored(fetching: Served, archive: TestArchive) -> None:
    address = archive.add(dicom_file("SC_rgb_rle_2frame.dcm"))
    found = ask(fetching, address, "/v1/predictions", frames="all").raise_for_status().json()
    assert [one["image"]["frame"] for one in found["frames"]] == [1, 2]
    assert [one.method for one in archive.heard] == ["GET"]
    answer = ask(fetching, address, frames="all", include=["secondary_capture"], store=True)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid-option")
    assert "ask for one frame after the other" in answer.json()["detail"]
