"""Everything this project raises on purpose. No HTTP here: `app.web.problems` maps each to a status.

    AexError
    ├── SettingsError             an environment variable is at fault
    ├── MalformedRequest          the request cannot be read at all
    ├── OptionError               an option is unknown, out of range, or not offered
    ├── ImageError                what was sent as an image is at fault
    │   ├── EmptyImage            no bytes, or a width or height of zero
    │   ├── NotAnImage            no format we read
    │   ├── DamagedImage          truncated or corrupt
    │   ├── UploadTooLarge        too many bytes
    │   ├── TooManyPixels         too many pixels, whatever its bytes
    │   ├── DecodeTimeout         took longer to decode than allowed
    │   ├── DecodeTooLarge        needs more memory to decode than allowed
    │   ├── NoSuchPart            has no such page or frame, or nothing that a window is for
    │   └── TooManyParts          more pages or frames than one request is answered of
    ├── AnswerTooLarge            what one request was answered fills what it may
    ├── UnknownModel              no model of that name is served
    ├── UnknownExplanation        no explanation of that id is worked on or kept
    ├── ExplanationGone           it was kept, and is no more
    ├── UnknownPicture            an explanation that has no such picture
    ├── CheckpointError           a model folder or a file to import is at fault
    │   └── ChecksumMismatch      the weights are not the ones that model.json describes
    ├── DataError                 training or test data is at fault
    ├── NotFinite                 a network gave NaN or infinity
    ├── NotWritten                a disk is full or cannot be written; what stood there stays
    ├── ArchiveError              a DICOMweb archive cannot be reached, refuses, or answers with something else
    │   ├── NotInArchive          it has no image of the UIDs that were named
    │   └── ArchiveTimeout        it did not answer in time
    ├── RemoteError               a running server that was asked cannot be reached, or refuses
    ├── StepUnavailable           a back end cannot compute this network's gradient, or not here
    ├── EngineFull                every place is taken; come again in `retry_after_seconds`
    ├── DeadlineExceeded          the time asked for is over
    └── Cancelled                 whoever asked is gone, or wants it no more

A message is one or two sentences: what was wrong, and what would be right. It never quotes uploaded bytes or file names
of uploads.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class AexError(Exception):
    """Root of all deliberate errors; `str(error)` is fit for a user's eyes."""


class SettingsError(AexError):
    """A setting of this installation cannot be used."""


class MalformedRequest(AexError):
    """The request is not what its content type says, or lacks its image."""


class OptionError(AexError):
    """An option's value is unknown, out of range, or not offered by this build."""


class ImageError(AexError):
    """What was sent as an image is at fault."""


class EmptyImage(ImageError):
    """No bytes at all, or an image without width or height."""


class NotAnImage(ImageError):
    """The bytes are of no image format that is read here."""


class DamagedImage(ImageError):
    """An image of a known format that is truncated or corrupt."""


class UploadTooLarge(ImageError):
    """More bytes than an upload may have."""


class TooManyPixels(ImageError):
    """More pixels than an image may have, whatever its size in bytes."""


class DecodeTimeout(ImageError):
    """Decoding took longer than is allowed."""


class DecodeTooLarge(ImageError):
    """Needs more memory to decode than is allowed."""


class NoSuchPart(ImageError):
    """Has no such page or frame, or nothing that a window is for."""


class TooManyParts(ImageError):
    """More pages or frames than one request is answered of."""


class AnswerTooLarge(AexError):
    """The answers to several pages fill what one request may be answered."""


class UnknownModel(AexError):
    """No model of that name is served here."""


class UnknownExplanation(AexError):
    """No explanation of that id is worked on or kept."""


class ExplanationGone(AexError):
    """An explanation was kept for a while, and is no more."""


class UnknownPicture(AexError):
    """An explanation has no such picture of that target."""


class CheckpointError(AexError):
    """A model folder, or a file to be imported as one, cannot be used."""


class ChecksumMismatch(CheckpointError):
    """The weights' SHA-256 is not the one in model.json."""


class DataError(AexError):
    """Training or test data cannot be used."""


class NotFinite(AexError):
    """A network's output or gradient is NaN or infinite."""


class NotWritten(AexError):
    """A file cannot be written; what stood in its place still does."""


class ArchiveError(AexError):
    """A DICOMweb archive cannot be reached, refuses, or answers with something else than DICOM."""


class NotInArchive(ArchiveError):
    """A DICOMweb archive has no image of the UIDs that were named."""


class ArchiveTimeout(ArchiveError):
    """A DICOMweb archive did not answer in time."""


class RemoteError(AexError):
    """A running server that was asked in place of a model cannot be reached, or refuses."""


class StepUnavailable(AexError):
    """A back end cannot compute this network's gradient step, or is not installed; another one can."""


class EngineFull(AexError):
    """Every place in the queue is taken.

    Attributes:
        retry_after_seconds: when a place is likely to be free, at least 1.
    """

    def __init__(self, message: str, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True)
class Reached:
    """How far the search for a target had come.

    Attributes:
        target, target_id: the class.
        step, steps: made, and to be made at the most.
        probability: of the target, after as many.
    """

    target: str
    target_id: int
    step: int
    steps: int
    probability: float


class DeadlineExceeded(AexError):
    """The deadline passed before the work was done.

    Attributes:
        reached: by each target of an explanation; empty where none was chosen by then.
    """

    def __init__(self, message: str, reached: Sequence[Reached] = ()) -> None:
        super().__init__(message)
        self.reached = tuple(reached)


class Cancelled(AexError):
    """Whoever asked for the work has gone away, or wants it no more."""
