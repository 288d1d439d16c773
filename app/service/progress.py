"""What a running explanation tells of itself, for one who reads at their own pace: the device waits for nobody.

News that come once are kept until they are taken. Of each target's search only the latest state is kept, and one is
made at most every `PROGRESS_SECONDS`: neither many targets nor a slow reader hold up the device's thread, which does no
more than copy a perturbation now and then. Pictures are drawn by whoever reads.
"""

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from torch import Tensor

from app.engine.jobs import Progress
from app.errors import DeadlineExceeded, Reached
from app.images.render import draw_explained
from app.service.passes import Found
from app.service.results.explanation import ChosenTarget
from app.service.results.facts import DrawnPicture, ImageFacts, ModelFacts, Prediction

PROGRESS_SECONDS = 0.1
PICTURE_SIDE = 96


@dataclass(frozen=True)
class Started:
    """It is inside and its image was read: what is known before the network is asked."""

    id: str
    created: datetime
    model: ModelFacts
    image: ImageFacts


@dataclass(frozen=True)
class TargetsChosen:
    """What the image was read as, and the classes that are explained, in the order of the explanations."""

    prediction: Prediction
    targets: tuple[ChosenTarget, ...]


@dataclass(frozen=True)
class TargetProgress:
    """One target's search before a step of it, or at its end.

    Attributes:
        step, steps: steps made, and to be made at the most.
        probability: of the target, at image + perturbation.
        image, perturbation: (channels, height, width), the image in [0, 1], at the network's own size.
    """

    target: ChosenTarget
    step: int
    steps: int
    probability: float
    image: Tensor
    perturbation: Tensor

    def picture(self) -> DrawnPicture:
        """The image with its change so far, shrunk to `PICTURE_SIDE` where it is larger."""
        image, change = (tensor.permute(1, 2, 0).numpy() for tensor in (self.image, self.perturbation))
        colored = np.broadcast_to(image, (*image.shape[:2], 3))
        drawn = draw_explained(colored, change, longest_side=PICTURE_SIDE)
        return DrawnPicture(drawn.png, drawn.width, drawn.height)


News = Started | TargetsChosen | TargetProgress


class Mailbox:
    """News of one explanation, from any thread to any other.

    Args:
        period_seconds: between two states of one row that are kept.
        read: false where nobody will, so that nothing is kept.
    """

    def __init__(self, period_seconds: float = PROGRESS_SECONDS, *, read: bool = True) -> None:
        self._period_seconds = period_seconds
        self._read = read
        self._once: list[Started | TargetsChosen] = []
        self._latest: dict[int, TargetProgress] = {}
        self._put_at: dict[int, float] = {}
        self._lock = threading.Lock()

    def tell(self, news: Started | TargetsChosen) -> None:
        """Keep what comes once."""
        with self._lock:
            self._once.append(news)

    def put(self, row: int, progress: TargetProgress) -> None:
        """Keep a row's state instead of the one before."""
        with self._lock:
            self._latest[row] = progress
            self._put_at[row] = time.monotonic()

    def offer(self, row: int, make: Callable[[], TargetProgress]) -> None:
        """The same, unless nobody reads or the one before is younger than the period: then nothing is even made."""
        if self._read and time.monotonic() - self._put_at.get(row, -math.inf) >= self._period_seconds:
            self.put(row, make())

    def take(self) -> list[News]:
        """What came since the last time: first what comes once, then each row's state."""
        with self._lock:
            news = [*self._once, *(self._latest[row] for row in sorted(self._latest))]
            self._once, self._latest = [], {}
        return news


class Follower:
    """Observes the search for some targets, and tells a mailbox. Rows after theirs, of a sweep, are not told.

    Args:
        mailbox: that is told.
        image: (channels, height, width) in [0, 1], that is explained.
        targets: a row each.
        probabilities: of the targets, for the image.
        steps: of each at the most.
    """

    def __init__(
        self,
        mailbox: Mailbox,
        image: Tensor,
        targets: Sequence[ChosenTarget],
        probabilities: Sequence[float],
        steps: int,
    ) -> None:
        self._mailbox = mailbox
        self._image = image
        self._targets = targets
        self._steps = steps
        self._latest = [(0, probability) for probability in probabilities]

    def __call__(self, progress: Progress) -> None:
        """Called on the device's thread."""
        row = progress.row
        if row >= len(self._targets):
            return
        self._latest[row] = progress.step, progress.probability
        self._mailbox.offer(row, lambda: self._at(row, progress.step, progress.probability, progress.perturbation()))

    def end(self, found: Found) -> None:
        """Tell where each row ended, which the device's thread may have skipped."""
        after, perturbation = found.explanation.probability_after.tolist(), found.explanation.perturbation
        for row, step in enumerate(found.steps_made):
            self._latest[row] = step, after[row]
            self._mailbox.put(row, self._at(row, step, after[row], perturbation[row]))

    def reached(self) -> list[Reached]:
        """How far each target has come; any thread may ask."""
        return [
            Reached(target.target, target.target_id, step, self._steps, probability)
            for target, (step, probability) in zip(self._targets, self._latest, strict=True)
        ]

    @contextmanager
    def saying_what_was_reached(self) -> Iterator[None]:
        """Let an error of the deadline inside the block say how far it came, and how to have that."""
        try:
            yield
        except DeadlineExceeded as late:
            detail = f"{late} With partial=true the answer is what was found by then."
            raise DeadlineExceeded(detail, self.reached()) from late

    def _at(self, row: int, step: int, probability: float, perturbation: Tensor) -> TargetProgress:
        return TargetProgress(self._targets[row], step, self._steps, probability, self._image, perturbation)
