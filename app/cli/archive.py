"""Images of a DICOMweb archive, for `aex explain`: fetched, explained, and what was made of them stored there."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from app.archive.address import InstanceAddress
from app.archive.client import Archive
from app.cli.common import console
from app.errors import ArchiveError, OptionError
from app.images.decode import ACCEPTED
from app.reports.filing import file_objects, objects_to_file
from app.reports.reporter import Reporter
from app.service.results.explanation import Record
from app.settings import Settings

ARCHIVED = Path("dicomweb")
"""What such an image is called in place of a file's name, which must not hold a patient's UIDs."""

ImagesIfAny = Annotated[list[Path] | None, typer.Argument(help=f"Image files: {ACCEPTED}.", show_default=False)]
ArchivedImage = Annotated[
    str | None,
    typer.Option("--dicomweb", help="STUDY/SERIES/INSTANCE in the DICOMweb archive (AEX_DICOMWEB_URL), not a file."),
]
StoreThere = Annotated[
    bool, typer.Option("--store", help="Store what --dicom names in the archive, in the image's study.")
]


def read_source(images: list[Path] | None, dicomweb: str | None, *, store: bool) -> InstanceAddress | None:
    """The address of an image of the archive, None where files are given.

    Raises:
        OptionError: neither or both are given, it is no address, or there is nothing to store beside.
    """
    if bool(images) == (dicomweb is not None):
        raise OptionError("Give image files, or --dicomweb with an image of the archive.")
    if dicomweb is None:
        if store:
            raise OptionError("--store puts objects beside an image of the archive; name one by --dicomweb.")
        return None
    try:
        return InstanceAddress.read(dicomweb)
    except ValueError:
        raise OptionError("--dicomweb must be STUDY/SERIES/INSTANCE: three UIDs of digits and dots.") from None


class ArchiveHere:
    """The archive that this command's own settings name.

    Raises:
        OptionError: they name none, or objects are made without their study and so cannot be stored in it.
    """

    def __init__(self, settings: Settings, *, store: bool) -> None:
        archive = settings.archive()
        if archive is None:
            raise OptionError("--dicomweb needs AEX_DICOMWEB_URL, the address of the archive.")
        if store and settings.strip_phi:
            raise OptionError("--store is not offered where objects are made without their study (AEX_STRIP_PHI).")
        self._archive: Archive = archive

    def fetch(self, address: InstanceAddress) -> bytes:
        """The image; raises as `Archive.fetch` does."""
        return asyncio.run(self._archive.fetch(address))

    def file(self, record: Record, reporter: Reporter, address: InstanceAddress) -> Record:
        """The record, its objects stored beside the image."""
        return asyncio.run(file_objects(record, objects_to_file(record, reporter), self._archive, address))


def require_stored(answer: Mapping[str, Any]) -> None:
    """Print what became of each object of the answer.

    Raises:
        ArchiveError: not all of them are stored.
    """
    for one in answer["stored"]:
        console.print(f"{one['kind']} {one['target'] or ''}: {one['sentence']}")
    missing = [one for one in answer["stored"] if not one["stored"]]
    if missing:
        raise ArchiveError(f"{len(missing)} of {len(answer['stored'])} objects are not stored, as far as is known.")
