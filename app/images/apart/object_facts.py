"""What a DICOM object that is written says of itself."""

import uuid
from dataclasses import dataclass
from typing import Literal

ObjectKind = Literal["secondary_capture", "parametric_map"]
WrittenKind = Literal[ObjectKind, "encapsulated_pdf"]


@dataclass(frozen=True)
class ObjectFacts:
    """About one object, which is written beside the DICOM image that it was made from.

    Attributes:
        kind: a Secondary Capture of a picture, a Parametric Map of numbers, or an Encapsulated PDF.
        frame: of the image, from 1.
        key: makes the UIDs: objects of one key share their series, and the same key gives the same UIDs.
        number: of the object in its series, from 1.
        title: of the series, at most 64 characters.
        description: how it was derived.
        model: name of the network, and `weights` the first digits of its weights' hash.
        scale: of a map, the value at the end of its colours.
        stripped: leave out all that may tell who the patient is, and who treated them where and when.
    """

    kind: WrittenKind
    frame: int
    key: str
    number: int
    title: str
    description: str
    model: str
    weights: str
    scale: float
    stripped: bool

    @property
    def sop_instance_uid(self) -> str:
        """Of the object."""
        return made_uid(self.key, f"{self.kind} {self.number}")


def made_uid(key: str, what: str) -> str:
    """The same for the same two texts, and for no others (PS3.5, B.2)."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_OID, f'{key} {what}').int}"
