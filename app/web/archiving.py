"""Images that are named in place of being sent, and objects that go back to where those came from."""

import asyncio
from collections.abc import Callable

from anyio import from_thread
from starlette.requests import Request

from app.archive.address import InstanceAddress
from app.archive.client import Archive
from app.engine.token import WorkToken
from app.errors import OptionError
from app.reports.filing import file_objects, objects_to_file
from app.reports.reporter import Reporter
from app.service.explainer import Explainer
from app.service.options import ExplainOptions
from app.service.progress import Mailbox
from app.service.results.explanation import Record

HOLD = "hold_bytes"
"""In a request's state: told of bytes that are held for it beside its body; refuses where there is no memory."""


class Archiving:
    """The installation's archive, if it has one.

    Args:
        archive: None where there is none.
        reporter: writes reports to be stored.
        strip_phi: whether objects are made without their study, and so cannot be stored in it.
    """

    def __init__(self, archive: Archive | None, reporter: Reporter, *, strip_phi: bool) -> None:
        self._archive = archive
        self._reporter = reporter
        self._strip_phi = strip_phi

    @property
    def is_offered(self) -> bool:
        """Whether there is one."""
        return self._archive is not None

    async def fetch(self, request: Request, address: InstanceAddress, token: WorkToken) -> bytes:
        """The image of that address, counted among the uploads that are held.

        Raises:
            OptionError: there is no archive here.
            ArchiveError, UploadTooLarge: as `Archive.fetch` says.
            EngineFull: the uploads under way fill their memory.
            DeadlineExceeded: the request's own time was over first.
        """
        hold: Callable[[int], None] = getattr(request.state, HOLD)
        archive = self._required()
        try:
            async with asyncio.timeout(token.remaining_seconds()):
                return await archive.fetch(address, hold)
        except TimeoutError:
            token.check()
            raise

    def require_storable(self, options: ExplainOptions, address: InstanceAddress | None) -> None:
        """Refuse, before any work is done, what could not be stored.

        Raises:
            OptionError: says why.
        """
        if not options.store:
            return
        self._required()
        if address is None:
            raise OptionError("store puts objects beside an image of the archive; name one by dicomweb.")
        if self._strip_phi:
            raise OptionError("store is not offered here: objects are made without their study (AEX_STRIP_PHI).")

    def record(
        self,
        explainer: Explainer,
        image: bytes,
        address: InstanceAddress | None,
        options: ExplainOptions,
        token: WorkToken,
        mailbox: Mailbox | None = None,
    ) -> Record:
        """As `Explainer.record`, its objects stored where that was asked for; in a worker's thread."""
        record = explainer.record(image, options, token, mailbox)
        if not options.store or address is None:
            return record
        objects = objects_to_file(record, self._reporter)
        filed = from_thread.run(file_objects, record, objects, self._required(), address)
        explainer.amend(filed)
        return filed

    def _required(self) -> Archive:
        if self._archive is None:
            raise OptionError("This installation has no DICOMweb archive (AEX_DICOMWEB_URL); send the image itself.")
        return self._archive
