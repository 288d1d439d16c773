"""Which image of an archive is meant."""

import re
from dataclasses import dataclass
from typing import Self

UID_CHARACTERS = 64
_UID = re.compile(r"[0-9]+(\.[0-9]+)+", re.ASCII)  # leading zeros are forbidden, and there are archives full of them


@dataclass(frozen=True)
class InstanceAddress:
    """The UIDs of a study, of a series in it and of an image in that: digits and dots, 64 characters at the most."""

    study: str
    series: str
    instance: str

    def __post_init__(self) -> None:
        if not all(map(_is_uid, (self.study, self.series, self.instance))):
            raise ValueError("it is no STUDY/SERIES/INSTANCE of three UIDs")

    @classmethod
    def read(cls, text: str) -> Self:
        """Out of STUDY/SERIES/INSTANCE.

        Raises:
            ValueError: it is no such thing; quotes nothing of it.
        """
        uids = text.strip().split("/")
        if len(uids) != 3:
            raise ValueError("it is no STUDY/SERIES/INSTANCE of three UIDs")
        return cls(*uids)

    @property
    def path(self) -> str:
        """Below the archive's address, as PS3.18 has it."""
        return f"{self.study_path}/series/{self.series}/instances/{self.instance}"

    @property
    def study_path(self) -> str:
        """Of its study."""
        return f"/studies/{self.study}"


def _is_uid(text: str) -> bool:
    return len(text) <= UID_CHARACTERS and _UID.fullmatch(text) is not None
