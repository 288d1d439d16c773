"""Explanations that are done, by id: kept for a while, in bounded memory and never on a disk."""

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from app.errors import ExplanationGone, UnknownExplanation
from app.service.results.explanation import Record

Why = Literal["expired", "room", "deleted"]

REMEMBERED_IDS = 10_000
"""Of those that are gone, so that whoever comes late is told what happened; an id takes some hundred bytes."""

_CLASS_BYTES = 170
_TARGET_BYTES = 3000
_CELL_BYTES = 50
_REASON_BYTES = 450
_MAP_BYTES = 600
_TILE_BYTES = 900
_RECORD_BYTES = 2500
"""What Python needs beside the files: for a class of the prediction, a target or size of a sweep with its pictures, a
cell of its agreements, a reason of its verdict, a tile, the quality of a map, and the rest."""

_GONE: Mapping[Why, str] = {
    "expired": "This explanation was kept for {seconds:g} s, which are over; send the image again.",
    "room": "This explanation had to make room for later ones; send the image again.",
    "deleted": "This explanation was deleted; send the image again.",
}


@dataclass(frozen=True)
class KeptLoad:
    """How much is kept, in results and bytes, of how many bytes at the most; and how many are gone, by why."""

    results: int
    bytes: int
    max_bytes: int
    gone: Mapping[Why, int]


@dataclass(frozen=True)
class _Held:
    record: Record
    size_bytes: int
    until: datetime


def _now() -> datetime:
    return datetime.now(UTC)


class KeptResults:
    """Records by id. Its methods may be called from any thread.

    Args:
        max_bytes: of all that is kept; the oldest make room for a new one.
        seconds: that each is kept at the most; 0 to keep nothing.
        now: tells the time.
    """

    def __init__(self, *, max_bytes: int, seconds: float, now: Callable[[], datetime] = _now) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self._now = now
        self._held: OrderedDict[str, _Held] = OrderedDict()  # the oldest first
        self._held_bytes = 0
        self._gone: OrderedDict[str, Why] = OrderedDict()
        self._gone_counts: Counter[Why] = Counter()
        self._lock = threading.Lock()

    def keep(self, record: Record) -> Record:
        """Keep it, unless it is larger than all there is room for; its result then says until when it is kept."""
        size_bytes = bytes_of(record)
        if not self._seconds or size_bytes > self._max_bytes:
            return record
        with self._lock:
            self._forget_expired()
            while self._held_bytes + size_bytes > self._max_bytes:
                self._forget(next(iter(self._held)), "room")
            until = self._now() + timedelta(seconds=self._seconds)
            kept = replace(record, result=replace(record.result, kept_until=until))
            self._held[record.result.id] = _Held(kept, size_bytes, until)
            self._held_bytes += size_bytes
        return kept

    def amend(self, record: Record) -> None:
        """Hold this in place of the record of its id, if that is still kept."""
        with self._lock:
            held = self._held.get(record.result.id)
            if held is not None:
                self._held[record.result.id] = replace(held, record=record)

    def get(self, explanation_id: str) -> Record:
        """The record of that id.

        Raises:
            ExplanationGone: it was kept, and is no more; says why.
            UnknownExplanation: none of that id was kept.
        """
        with self._lock:
            self._require(explanation_id)
            return self._held[explanation_id].record

    def delete(self, explanation_id: str) -> None:
        """Forget it at once; raises as `get` does."""
        with self._lock:
            self._require(explanation_id)
            self._forget(explanation_id, "deleted")

    def discard(self, explanation_id: str) -> None:
        """Forget it where it is kept."""
        with self._lock:
            if explanation_id in self._held:
                self._forget(explanation_id, "deleted")

    def forget_expired(self) -> None:
        """Free the memory of those whose time is over, though nobody asks for anything."""
        with self._lock:
            self._forget_expired()

    def load(self) -> KeptLoad:
        """How much is kept now."""
        with self._lock:
            self._forget_expired()
            return KeptLoad(len(self._held), self._held_bytes, self._max_bytes, dict(self._gone_counts))

    def _require(self, explanation_id: str) -> None:
        self._forget_expired()
        if explanation_id in self._held:
            return
        if explanation_id in self._gone:
            raise ExplanationGone(_GONE[self._gone[explanation_id]].format(seconds=self._seconds))
        how_long = f"it is kept for {self._seconds:g} s at the most" if self._seconds else "it is not kept here"
        raise UnknownExplanation(
            "No explanation of this id is worked on or kept here. The id stands in the event started and in the answer;"
            f" once an explanation is done, {how_long}."
        )

    def _forget_expired(self) -> None:
        now = self._now()
        while self._held and next(iter(self._held.values())).until <= now:
            self._forget(next(iter(self._held)), "expired")

    def _forget(self, explanation_id: str, why: Why) -> None:
        self._held_bytes -= self._held.pop(explanation_id).size_bytes
        self._gone[explanation_id] = why
        self._gone_counts[why] += 1
        if len(self._gone) > REMEMBERED_IDS:
            self._gone.popitem(last=False)


def bytes_of(record: Record) -> int:
    """Memory that it takes: its files, byte by byte, and what Python needs beside them."""
    result = record.result
    explained = [row for one in result.explanations for row in (one, *one.sweep)]
    pictures = [drawn.png for one in explained for drawn in one.pictures.values()]
    films = [one.animation.webp for one in explained if one.animation is not None]
    tables = [len(one.agreement.methods) for one in explained if one.agreement is not None]
    reasons = [len(one.verdict.reasons) for one in explained if one.verdict is not None]
    of_all = [drawn.png for drawn in (result.original, result.sheet) if drawn is not None]
    objects = [content for one in explained for content in one.objects.values()]
    files = [record.upload, *of_all, result.arrays_npz or b"", *pictures, *films, *objects]
    predictions = [result.prediction, *([result.second_opinion.prediction] if result.second_opinion else [])]
    classes = sum(len(one.top) for one in predictions) + sum(len(one.top_after) for one in explained)
    qualities = [len(one.quality.methods) for one in explained if one.quality is not None]
    judges = sum(one.judge is not None for one in explained)
    return (
        sum(map(len, files))
        + _CLASS_BYTES * classes
        + _TARGET_BYTES * len(explained)
        + _CELL_BYTES * sum(2 * methods**2 for methods in tables)
        + _REASON_BYTES * (sum(reasons) + judges)
        + _MAP_BYTES * sum(2 + methods for methods in qualities)
        + _TILE_BYTES * sum(len(one.tiles) for one in explained)
        + _RECORD_BYTES
    )
