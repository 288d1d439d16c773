"""What an archive says of the objects that it was sent (PS3.18, I.2)."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STORED, FAILED = "00081199", "00081198"
UID, FAILURE, WARNING = "00081155", "00081197", "00081196"

_REASONS: Mapping[range, str] = {
    range(0x0110, 0x0111): "it failed to process it",
    range(0x0111, 0x0112): "it has an object of this UID",
    range(0x0122, 0x0123): "it takes no objects of this class",
    range(0x0124, 0x0125): "this server is not allowed to store it",
    range(0xA700, 0xA800): "it has no room",
    range(0xA900, 0xAA00): "it finds that the data set does not match its class",
    range(0xC122, 0xC123): "it does not take its transfer syntax",
    range(0xC000, 0xD000): "it cannot understand it",
}
"""By the status that PS3.18, table I.2-2, gives to each."""


@dataclass(frozen=True)
class Outcome:
    """What became of one object: whether the archive said that it stored it, and a sentence."""

    sop_instance_uid: str
    stored: bool
    sentence: str


def outcomes(uids: Sequence[str], status: int, answer: bytes) -> list[Outcome]:
    """Of the objects of these UIDs, by an answer of status 200, 202 or 409.

    Nothing of the answer is quoted, as an archive may quote the patient in it.
    """
    told = _read(answer)
    if told is None:
        return [_without_words(uid, status) for uid in uids]
    taken = {_uid(item): _number(item, WARNING) for item in _items(told, STORED)}
    refused = {_uid(item): _number(item, FAILURE) for item in _items(told, FAILED)}
    return [_outcome(uid, taken, refused) for uid in uids]


def unstored(uids: Iterable[str], sentence: str) -> list[Outcome]:
    """Where there is no answer of the archive's to go by."""
    return [Outcome(uid, stored=False, sentence=sentence) for uid in uids]


def _outcome(uid: str, taken: Mapping[str, int | None], refused: Mapping[str, int | None]) -> Outcome:
    if uid in refused:
        return Outcome(uid, stored=False, sentence=f"The archive refused it{_because(refused[uid])}.")
    if uid not in taken:
        return Outcome(uid, stored=False, sentence="The archive's answer does not name it; look whether it is there.")
    said = "" if taken[uid] is None else f", with a warning ({taken[uid]:04X}H)"
    return Outcome(uid, stored=True, sentence=f"The archive stored it{said}.")


def _without_words(uid: str, status: int) -> Outcome:
    if status == 200:
        return Outcome(uid, stored=True, sentence="The archive answered that it stored all, and said no more.")
    return Outcome(uid, stored=False, sentence="The archive refused some or all, and did not say which.")


def _because(status: int | None) -> str:
    if status is None:
        return ", and did not say why"
    words = next((words for codes, words in _REASONS.items() if status in codes), None)
    return f" ({status:04X}H)" if words is None else f": {words} ({status:04X}H)"


def _read(answer: bytes) -> Mapping[str, Any] | None:
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    return told if isinstance(told, dict) else None


def _items(told: Mapping[str, Any], tag: str) -> Iterator[Mapping[str, Any]]:
    for item in _values(told, tag):
        if isinstance(item, dict):
            yield item


def _uid(item: Mapping[str, Any]) -> str:
    return str(next(iter(_values(item, UID)), ""))


def _number(item: Mapping[str, Any], tag: str) -> int | None:
    value = next(iter(_values(item, tag)), None)
    return value if isinstance(value, int) and 0 <= value <= 0xFFFF else None


def _values(item: Mapping[str, Any], tag: str) -> Sequence[Any]:
    element = item.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []
