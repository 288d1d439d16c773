"""What a mailbox keeps for one who reads at their own pace."""

import io
import math
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from app.engine.device import Engine, EngineLimits
from app.engine.jobs import Progress
from app.engine.token import WorkToken
from app.errors import Cancelled, DeadlineExceeded, Reached
from app.service.progress import Follower, Mailbox, Started, TargetProgress
from app.service.results.explanation import ChosenTarget
from app.service.results.facts import ImageFacts, ModelFacts, Region
from tests.engine.small import Desk, ask, rows_of, small

CAT, DOG = ChosenTarget("cat", 0, "predicted"), ChosenTarget("dog", 1, "runner_up")
STARTED = Started(
    "01",
    datetime(2026, 1, 1, tzinfo=UTC),
    ModelFacts("m", "", 8, 8, 3, "stretch"),
    ImageFacts("", "PNG", 8, 8, Region(0, 0, 8, 8), None, None, 1, 1, None, ()),
)


def state(target: ChosenTarget, step: int, image: Tensor | None = None, change: float = 0.0) -> TargetProgress:
    shown = torch.zeros(3, 8, 8) if image is None else image
    return TargetProgress(target, step, 9, 0.5, shown, torch.full_like(shown, change))


def test_of_each_row_the_latest_is_kept() -> None:
    mailbox = Mailbox(period_seconds=0.0)
    for step in range(1000):
        mailbox.offer(1, lambda step=step: state(DOG, step))  # type: ignore[misc]  # bound early
    mailbox.offer(0, lambda: state(CAT, 3))
    taken = [(news.target, news.step) for news in mailbox.take() if isinstance(news, TargetProgress)]
    assert taken == [(CAT, 3), (DOG, 999)]
    assert mailbox.take() == []


def test_what_comes_once_comes_first_and_stays_until_it_is_taken() -> None:
    mailbox = Mailbox()
    mailbox.put(0, state(CAT, 1))
    mailbox.tell(STARTED)
    assert mailbox.take()[0] is STARTED
    assert mailbox.take() == []


def test_within_a_period_nothing_is_made_of_a_row_but_of_others() -> None:
    mailbox, made = Mailbox(period_seconds=math.inf), []
    for row in (0, 0, 1, 0):
        mailbox.offer(row, lambda row=row: made.append(row) or state(CAT, 0))  # type: ignore[misc,func-returns-value]
    assert made == [0, 1]


def test_where_nobody_reads_nothing_is_made() -> None:
    mailbox = Mailbox(period_seconds=0.0, read=False)
    mailbox.offer(0, lambda: pytest.fail("nobody reads this"))


def test_the_end_of_a_row_replaces_what_was_within_the_period() -> None:
    mailbox = Mailbox(period_seconds=math.inf)
    mailbox.offer(0, lambda: state(CAT, 0))
    mailbox.put(0, state(CAT, 9))
    (last,) = mailbox.take()
    assert isinstance(last, TargetProgress)
    assert last.step == 9


def test_rows_that_are_followed_come_to_what_they_come_to_alone() -> None:
    """Though nobody takes the news; the last state is the loop's own."""
    engine, on, asked = Engine(EngineLimits(places=1)), small(), ask(1, rows_of([0, 1], [6, 6]))
    mailbox = Mailbox(period_seconds=0.0)
    follower = Follower(mailbox, asked.images[0], [CAT, DOG], [0.5, 0.5], 6)
    with engine.place(on.model, rows=2, steps=6) as place:
        climbed = place.climb(asked, WorkToken(), follower)
    engine.close()
    for row, news in enumerate(mailbox.take()):
        assert isinstance(news, TargetProgress)
        assert news.step == 6
        torch.testing.assert_close(news.perturbation, climbed.looped.perturbation[row])


def test_what_was_reached_is_what_was_told_last_of_each_target() -> None:
    desk, on, asked = Desk(max_step_rows=1), small(), ask(1, rows_of([0, 1], [6, 6]))
    follower = Follower(Mailbox(read=False), asked.images[0], [CAT, DOG], [0.25, 0.5], 6)
    told: list[Progress] = []

    def observe(progress: Progress) -> None:
        told.append(progress)
        follower(progress)

    desk.climb(on, asked, observe=observe)
    assert follower.reached() == [Reached("cat", 0, 0, 6, 0.25), Reached("dog", 1, 0, 6, 0.5)]
    desk.run(3)
    assert [progress.row for progress in told] == [0, 0, 0]
    assert follower.reached() == [Reached("cat", 0, 2, 6, told[-1].probability), Reached("dog", 1, 0, 6, 0.5)]


def test_an_error_of_the_deadline_says_what_was_reached_and_no_other_does() -> None:
    follower = Follower(Mailbox(read=False), torch.zeros(3, 8, 8), [CAT], [0.25], 6)
    with (
        pytest.raises(DeadlineExceeded, match=r"^Late\. With partial=true the answer is") as late,
        follower.saying_what_was_reached(),
    ):
        raise DeadlineExceeded("Late.")
    assert late.value.reached == (Reached("cat", 0, 0, 6, 0.25),)
    with pytest.raises(Cancelled, match=r"^Gone\.$"), follower.saying_what_was_reached():
        raise Cancelled("Gone.")


@pytest.mark.parametrize(
    ("shape", "size"), [((3, 8, 8), (8, 8)), ((1, 8, 10), (10, 8)), ((3, 192, 480), (96, 38)), ((1, 97, 97), (96, 96))]
)
def test_the_picture_is_the_image_with_its_change_and_small(shape: tuple[int, int, int], size: tuple[int, int]) -> None:
    drawn = state(CAT, 0, torch.full(shape, 0.2), change=0.4).picture()
    picture = Image.open(io.BytesIO(drawn.png))
    assert picture.size == (drawn.width, drawn.height) == size
    assert (np.asarray(picture) == 153).all()
