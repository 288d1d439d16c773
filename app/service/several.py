"""Several pages or frames of one file, each answered as if it had been asked for alone, a few at a time.

They share the engine's steps, one deadline and one cancellation. What is wrong with one of them is said of it, and
leaves the others alone; what is wrong with the question is raised once.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from app.engine.token import WorkToken
from app.errors import AexError, AnswerTooLarge, DeadlineExceeded, EngineFull, ImageError, NotFinite, TooManyParts
from app.images.decode import DecodeLimits
from app.images.parts import PartKind, count_parts
from app.service.explainer import Explainer
from app.service.kept import bytes_of
from app.service.options import ExplainOptions, PredictOptions
from app.service.results.explanation import Record
from app.service.results.facts import PredictResult

Options = TypeVar("Options", bound=PredictOptions)
Result = TypeVar("Result")

OF_ONE_PART = (ImageError, NotFinite, DeadlineExceeded, AnswerTooLarge)
"""What says nothing of the other pages."""

LOOK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True)
class PartsAsked:
    """Which pages or frames of a file: (first, last) of each range, from 1 and with its last; None for all."""

    kind: PartKind
    ranges: tuple[tuple[int, int], ...] | None

    def numbers(self, count: Callable[[], int], most: int) -> Sequence[int]:
        """Each number once, in the order asked for; `count` is called where all are.

        Raises:
            TooManyParts: they are more than `most`.
        """
        ranges = ((1, count()),) if self.ranges is None else self.ranges
        asked = sum(last - first + 1 for first, last in ranges)
        if asked > most:
            what = f"The file has {asked} {self.kind}s" if self.ranges is None else f"{asked} {self.kind}s are named"
            raise TooManyParts(
                f"{what}; at most {most} are answered in one request: ask for {self.kind}s=1-{most}, then for"
                f" {self.kind}s={most + 1}-{2 * most}."
            )
        return list(dict.fromkeys(number for first, last in ranges for number in range(first, last + 1)))


@dataclass(frozen=True)
class OfPart(Generic[Result]):
    """What came of one page or frame: a result, or what was wrong with it."""

    kind: PartKind
    number: int
    result: Result | None
    error: AexError | None


@dataclass(frozen=True)
class SeveralLimits:
    """Bounds on one request.

    Attributes:
        max_parts: pages or frames.
        max_bytes: of the results together; what comes after that is not answered.
        at_once: decoded and worked on at the same time.
    """

    max_parts: int
    max_bytes: int
    at_once: int


class Several:
    """Answers about several parts of a file; its methods block, and may be called from many threads at once."""

    def __init__(self, explainer: Explainer, decode_limits: DecodeLimits, limits: SeveralLimits) -> None:
        self._explainer = explainer
        self._decode_limits = decode_limits
        self._limits = limits

    def predict(
        self, data: bytes, asked: PartsAsked, options: PredictOptions, token: WorkToken
    ) -> list[OfPart[PredictResult]]:
        """Classes and probabilities of each part, in the order asked for.

        Raises:
            TooManyParts: more are asked for than one request may.
            ImageError: the parts of the file cannot be counted.
            DeadlineExceeded: the time was over before any part was answered.
            AexError: what is wrong with the options or the engine, as `Explainer.predict` says.
        """
        each = _Each[PredictOptions, PredictResult](
            lambda part: self._explainer.predict(data, part, token),
            token,
            self._limits,
            size_of=lambda result: 0,
            forget=lambda result: None,
        )
        return each.answered(asked, self._numbers(data, asked), options)

    def explain(
        self, data: bytes, asked: PartsAsked, options: ExplainOptions, token: WorkToken
    ) -> list[OfPart[Record]]:
        """Prediction and explanations of each part, in the order asked for; raises as `predict` does."""
        each = _Each[ExplainOptions, Record](
            lambda part: self._explainer.record(data, part, token),
            token,
            self._limits,
            size_of=lambda record: bytes_of(record) - len(data),
            forget=self._forget,
        )
        return each.answered(asked, self._numbers(data, asked), options)

    def _numbers(self, data: bytes, asked: PartsAsked) -> Sequence[int]:
        return asked.numbers(lambda: count_parts(data, self._decode_limits, asked.kind), self._limits.max_parts)

    def _forget(self, record: Record) -> None:
        """Nobody is told its id."""
        with suppress(AexError):
            self._explainer.delete(record.result.id)


class _Each(Generic[Options, Result]):
    """One request's parts, worked on in threads of its own.

    Args:
        work: answers one part.
        token: of all of them; cancelled when one fails in a way that concerns all.
        limits: on them.
        size_of: bytes of a result.
        forget: called with each result that is made and not returned.
    """

    def __init__(
        self,
        work: Callable[[Options], Result],
        token: WorkToken,
        limits: SeveralLimits,
        *,
        size_of: Callable[[Result], int],
        forget: Callable[[Result], None],
    ) -> None:
        self._work = work
        self._token = token
        self._limits = limits
        self._size_of = size_of
        self._forget = forget
        self._bytes = 0
        self._made: list[Result] = []
        self._asking = self._waiting = 0
        self._lock = threading.Lock()

    def answered(self, asked: PartsAsked, numbers: Sequence[int], options: Options) -> list[OfPart[Result]]:
        """Each part in its turn."""
        with ThreadPoolExecutor(self._limits.at_once, thread_name_prefix="part") as threads:
            # In the context of the request, whose id stands in the log beside the work.
            working = [threads.submit(copy_context().run, self._one, asked.kind, number, options) for number in numbers]
            try:
                for ended in as_completed(working):
                    ended.result()
            except BaseException:
                self._token.cancel("Another part of the same file could not be answered.")
                threads.shutdown(cancel_futures=True)
                self._forget_all()
                raise
        found = [ended.result() for ended in working]
        late = next((one.error for one in found if isinstance(one.error, DeadlineExceeded)), None)
        if late is not None and not any(one.result is not None for one in found):
            raise late
        return found

    def _one(self, kind: PartKind, number: int, options: Options) -> OfPart[Result]:
        part = replace(options, page=number) if kind == "page" else replace(options, frame=number)
        try:
            self._token.check()
            self._require_room()
            return OfPart(kind, number, self._taken(self._when_there_is_a_place(part)), None)
        except OF_ONE_PART as error:
            return OfPart(kind, number, None, error)

    def _when_there_is_a_place(self, part: Options) -> Result:
        """Where the engine is full, others of the same request may leave it: so ask again while there is time.

        Where none of them ever came in, all are refused as any request is.
        """
        with self._lock:
            self._asking += 1
        try:
            while True:
                try:
                    return self._work(part)
                except EngineFull:
                    if self._none_came_in():
                        raise
                    self._wait()
        finally:
            with self._lock:
                self._asking -= 1

    def _none_came_in(self) -> bool:
        with self._lock:
            return not self._made and self._waiting + 1 == self._asking

    def _wait(self) -> None:
        with self._lock:
            self._waiting += 1
        time.sleep(LOOK_AGAIN_SECONDS)
        with self._lock:
            self._waiting -= 1
        self._token.check()

    def _require_room(self) -> None:
        if self._bytes > self._limits.max_bytes:
            raise AnswerTooLarge(
                f"What was asked for before it fills the {self._limits.max_bytes} bytes that one answer may have; ask"
                " for it in another request, or for fewer pictures by include."
            )

    def _taken(self, result: Result) -> Result:
        with self._lock:
            self._bytes += self._size_of(result)
            try:
                self._require_room()
            except AnswerTooLarge:
                self._forget(result)
                raise
            self._made.append(result)
        return result

    def _forget_all(self) -> None:
        for result in self._made:
            self._forget(result)
