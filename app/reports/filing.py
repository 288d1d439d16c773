"""Putting the objects of an explanation, and its report, beside the image in the archive that it came from."""

from dataclasses import dataclass, replace

from app.archive.address import InstanceAddress
from app.archive.client import Archive
from app.reports.reporter import Reporter
from app.service.explaining.dicom import uid_of_object, uid_of_report
from app.service.options import OBJECTS, REPORT
from app.service.results.explanation import Record, StoredObject


@dataclass(frozen=True)
class ToFile:
    """An object that is to be stored: as in `StoredObject`, with its file."""

    kind: str
    target: str | None
    sop_instance_uid: str
    content: bytes


def objects_to_file(record: Record, reporter: Reporter) -> list[ToFile]:
    """What an explanation was asked to store; the report is written for it, which takes a while.

    Raises:
        ImageError: there is no writing a report in DICOM of this image.
    """
    result = record.result
    found = [
        ToFile(kind, one.target, uid_of_object(result, kind, number), one.objects[kind])
        for number, one in enumerate(result.explanations, start=1)
        for kind in OBJECTS
        if kind in one.objects
    ]
    if REPORT in record.options.include:
        found.append(ToFile(REPORT, None, uid_of_report(result), reporter.dicom(record)))
    return found


async def file_objects(record: Record, objects: list[ToFile], archive: Archive, address: InstanceAddress) -> Record:
    """The record, saying what became of each object; whatever the archive does, the explanation is not lost."""
    by_uid = {one.sop_instance_uid: one for one in objects}
    outcomes = await archive.store(address, {uid: one.content for uid, one in by_uid.items()})
    stored = tuple(
        StoredObject(
            kind=by_uid[one.sop_instance_uid].kind,
            target=by_uid[one.sop_instance_uid].target,
            sop_instance_uid=one.sop_instance_uid,
            stored=one.stored,
            sentence=one.sentence,
        )
        for one in outcomes
    )
    return replace(record, result=replace(record.result, stored=stored))
