"""Fetching and storing, with an archive as it should be and with archives that are not."""

import asyncio
import gzip
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from dicomweb_client.web import DICOMwebClient
from requests import Session

from app.archive.address import InstanceAddress
from app.archive.client import Archive
from app.errors import ArchiveError, ArchiveTimeout, EngineFull, NotInArchive, UploadTooLarge
from tests.archive.server import PASSWORD, TOKEN, USER, Behaviour, Handler, TestArchive, endless, related, trickling
from tests.images.apart.files import dicom_file

CT, MR = dicom_file("CT_small.dcm"), dicom_file("MR_small.dcm")
NOWHERE = InstanceAddress("1.2.3", "1.2.3.4", "1.2.3.4.5")
MAX_BYTES = 100_000


def asking(
    archive: TestArchive, *, seconds: float = 10, max_bytes: int = MAX_BYTES, token: str | None = None
) -> Archive:
    auth = None if token else (USER, PASSWORD)
    return Archive(archive.url, auth=auth, token=token, max_bytes=max_bytes, max_seconds=seconds)


def fetched(archive: Archive, address: InstanceAddress, heard: Callable[[int], None] = lambda _: None) -> bytes:
    return asyncio.run(archive.fetch(address, heard))


def test_an_image_is_fetched_as_it_is(archive: TestArchive) -> None:
    address = archive.add(CT)
    for client in (asking(archive), asking(archive, token=TOKEN)):
        assert fetched(client, address) == CT
    assert [one.path for one in archive.heard] == [f"/dicom-web{address.path}"] * 2


def test_one_file_as_it_is_will_do_too(archive: TestArchive) -> None:
    archive.behaviour = lambda handler: handler.send(200, "application/dicom", CT)
    assert fetched(asking(archive), archive.add(CT)) == CT


def test_a_file_whose_head_and_data_set_disagree_is_that_of_either(archive: TestArchive) -> None:
    address = archive.add(dicom_file("rtdose.dcm"))
    assert fetched(asking(archive), address) == dicom_file("rtdose.dcm")


def test_a_longer_uid_is_another(archive: TestArchive) -> None:
    address = archive.add(CT)
    shorter = replace(address, instance=address.instance[:-1])
    archive.files[shorter.path] = CT
    with pytest.raises(ArchiveError, match="is another image"):
        fetched(asking(archive), shorter)


def test_what_is_stored_is_there_for_others(archive: TestArchive) -> None:
    """By what archives are asked with elsewhere."""
    address = archive.add(CT)
    made = CT.replace(address.instance.encode(), address.instance.encode()[:-1] + b"7")
    uid = address.instance[:-1] + "7"
    (outcome,) = asyncio.run(asking(archive).store(address, {uid: made}))
    assert (outcome.sop_instance_uid, outcome.stored) == (uid, True)
    session = Session()
    session.auth = (USER, PASSWORD)
    found = DICOMwebClient(archive.url, session=session).retrieve_instance(address.study, address.series, uid)
    assert (str(found.SOPInstanceUID), str(found.PatientName)) == (uid, "CompressedSamples^CT1")


def test_each_object_is_spoken_of(archive: TestArchive) -> None:
    address, other = archive.add(CT), TestArchive().add(MR)
    outcomes = asyncio.run(asking(archive).store(address, {address.instance: CT, other.instance: MR, "1.2.3": CT}))
    assert [(one.sop_instance_uid, one.stored) for one in outcomes] == [
        (address.instance, True),
        (other.instance, False),
        ("1.2.3", False),
    ]
    assert outcomes[1].sentence == "The archive refused it: it cannot understand it (C000H)."
    assert "does not name it" in outcomes[2].sentence


def sends(status: int, *answer: object, **headers: str) -> Behaviour:
    return lambda handler: handler.send(status, *answer, **headers)  # type: ignore[arg-type]  # as `send` takes them


def cut_off(handler: Handler) -> None:
    content_type, body = related(CT)
    handler.send(200, content_type, body[:-10])


@pytest.mark.parametrize(
    ("behaviour", "kind", "sentence"),
    [
        (None, NotInArchive, "no image of these UIDs"),
        (sends(410), NotInArchive, "no image of these UIDs"),
        (sends(403), ArchiveError, "does not let this server in (status 403)"),
        (sends(302, Location="http://127.0.0.1:9/elsewhere"), ArchiveError, "leads elsewhere (status 302)"),
        (sends(500, "text/plain", b"Doe^John"), ArchiveError, "answered with status 500"),
        (sends(200, "text/html", b"<p>Doe^John"), ArchiveError, "something else than multipart/related"),
        (sends(200, *related(CT, kind="image/jpeg")), ArchiveError, "something else than multipart/related"),
        (sends(200, *related()), ArchiveError, "answered with 0 files"),
        (sends(200, *related(CT, MR)), ArchiveError, "answered with 2 files"),
        (sends(200, *related(b"Doe^John")), ArchiveError, "is no DICOM file"),
        (sends(200, *related(bytes(128) + b"DICM")), ArchiveError, "is another image"),
        (sends(200, *related(CT)), ArchiveError, "is another image"),
        (sends(200, related()[0], b"Doe^John"), ArchiveError, "is not the multipart body"),
        (sends(200, related()[0], gzip.compress(CT), Content_Encoding="gzip"), ArchiveError, "packs its answers"),
        (cut_off, ArchiveError, "is cut off"),
        (sends(200, *related(bytes(128) + b"DICM" + bytes(MAX_BYTES))), UploadTooLarge, "larger than the 100000 bytes"),
        (endless, UploadTooLarge, "larger than"),
    ],
)
def test_an_archive_that_is_not_as_it_should_be_is_a_sentence(
    archive: TestArchive, behaviour: Behaviour | None, kind: type[Exception], sentence: str
) -> None:
    archive.behaviour = behaviour
    with pytest.raises(kind) as caught:
        fetched(asking(archive), NOWHERE)
    assert type(caught.value) is kind
    assert sentence in str(caught.value)
    assert "Doe" not in str(caught.value)
    assert NOWHERE.study not in str(caught.value)
    assert len(archive.heard) == 1


def test_wrong_credentials_are_said_without_them(archive: TestArchive) -> None:
    client = Archive(archive.url, auth=(USER, "wrong"), token=None, max_bytes=MAX_BYTES, max_seconds=10)
    with pytest.raises(ArchiveError, match="does not let this server in") as caught:
        fetched(client, archive.add(CT))
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("behaviour", [trickling, lambda handler: time.sleep(3)])
def test_an_archive_that_is_slow_is_left(archive: TestArchive, behaviour: Behaviour) -> None:
    archive.behaviour, began = behaviour, time.monotonic()
    with pytest.raises(ArchiveTimeout, match=r"within 0\.5 s"):
        fetched(asking(archive, seconds=0.5), NOWHERE)
    assert time.monotonic() - began < 2


def test_an_archive_that_is_not_there_is_said_without_its_address() -> None:
    client = Archive("http://127.0.0.1:9/dicom-web", auth=None, token=None, max_bytes=MAX_BYTES, max_seconds=5)
    with pytest.raises(ArchiveError, match="cannot be reached, or broke off") as caught:
        fetched(client, NOWHERE)
    assert "127.0.0.1" not in str(caught.value)
    (outcome,) = asyncio.run(client.store(NOWHERE, {"1.2": CT}))
    assert not outcome.stored


def test_whoever_hears_of_bytes_may_end_it(archive: TestArchive) -> None:
    archive.behaviour = endless

    def refuse(size_bytes: int) -> None:
        assert size_bytes > 0
        raise EngineFull("no room", 5)

    with pytest.raises(EngineFull):
        fetched(asking(archive), NOWHERE, refuse)


@pytest.mark.parametrize(
    ("behaviour", "stored", "sentence"),
    [
        (sends(200), True, "said no more"),
        (sends(200, "application/json", b"[" * 100_000), True, "said no more"),
        (sends(202, "text/xml", b"<x/>"), False, "did not say which"),
        (sends(409, "application/json", b'{"00081198": {"Value": [{"00081155": 3}, 4]}}'), False, "does not name it"),
        (sends(507, "text/plain", b"Doe^John"), False, "answered with status 507"),
        (endless, False, "larger than"),
        (trickling, False, "did not answer within 1 s. Look whether it is there."),
    ],
)
def test_what_comes_of_storing_is_said_whatever_the_archive_answers(
    archive: TestArchive, behaviour: Behaviour, stored: bool, sentence: str
) -> None:
    archive.behaviour = behaviour
    (outcome,) = asyncio.run(asking(archive, seconds=1).store(NOWHERE, {"1.2": CT}))
    assert outcome.stored is stored
    assert sentence in outcome.sentence
    assert "Doe" not in outcome.sentence


@pytest.mark.parametrize(
    "text",
    [
        "", "1.2", "1.2/1.2", "1.2/1.2/1.2/1.2", "../1.2/1.2", "1.2/../1.2", "./1.2/1.2", "1.2/1.2/1.2?x=1",
        "1..2/1.2/1.2",
        "1.2/1.2/1.2#", "1.2/1.2/%2e%2e", "a.b/1.2/1.2", "1.2/1.2/1.\u0662", "1.2/1.2/1.2\r\nHost: x", "1.2//1.2",
        "1.2/1.2/" + "1." * 32 + "1", "http://127.0.0.1/1.2/1.2", "1.2@x/1.2/1.2",
    ],
)  # fmt: skip
def test_nothing_but_uids_is_an_address(text: str) -> None:
    with pytest.raises(ValueError, match="three UIDs"):
        InstanceAddress.read(text)


def test_uids_of_sixty_four_characters_are_an_address() -> None:
    longest = "1." * 31 + "12"
    address = InstanceAddress.read(f" {longest}/1.02/2.25.3 ")
    assert address.path == f"/studies/{longest}/series/1.02/instances/2.25.3"
