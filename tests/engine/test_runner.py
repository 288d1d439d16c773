"""Steps that rows of different requests share, without the thread: what each comes to, and who leaves when."""

import gc
import weakref
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from app.adversarial.explain import probability_of
from app.adversarial.rows import Rows
from app.adversarial.stop_rules import while_better_than_random, while_class_stands
from app.engine.jobs import Ask, ClimbJob, Progress
from app.engine.runner import GROW_AFTER_STEPS
from app.engine.token import WorkToken
from app.errors import Cancelled, EngineFull
from tests.adversarial.tiny import random_images
from tests.engine.listening import Heard
from tests.engine.small import CLASSES, Desk, LateToken, alone, ask, require_as_alone, rows_of, small
from tests.reference import follow_below, plain_cross_entropy, plain_loop, plain_projected


def refuse_white(images: Tensor) -> None:
    if (images.flatten(1).amin(1) > 5).any():
        raise ValueError("one of these images is far too white")


def test_a_look_is_the_networks_own_answer() -> None:
    desk, on, images = Desk(), small(), random_images(1, 3)
    job = desk.look(on, images)
    desk.run()
    job.wait()
    torch.testing.assert_close(job.result(), on.network(images))


def test_rows_of_all_kinds_come_to_what_they_come_to_alone() -> None:
    desk, on = Desk(max_step_rows=4), small()
    asked = [
        ask(1, rows_of([0, 1], [9, 4])),
        ask(2, rows_of([3], [12], momentum=0.9, encourage=False), follow_rule=while_class_stands),
        ask(3, rows_of([2, 2, 1], [1, 7, 3], encourage=False), follow_rule=while_better_than_random),
    ]
    jobs = []
    for each in asked:
        jobs.append(desk.climb(on, each))
        desk.run(3)
    desk.run()
    for job in jobs:
        require_as_alone(job, on.network)


def test_rows_join_at_the_next_step_and_leave_when_done() -> None:
    desk, on = Desk(), small()
    desk.climb(on, ask(1, rows_of([0, 1], [4, 4])))
    desk.run(2)
    desk.climb(on, ask(2, rows_of([2], [3])))
    desk.run()
    assert on.step.climbs == [2, 2, 3, 3, 1]
    assert on.step.looks == [2, 1]


def test_a_step_holds_no_more_rows_than_it_may_and_no_more_bytes() -> None:
    for desk in (Desk(max_step_rows=3), Desk(max_step_bytes=2800)):
        on = small()
        job = desk.climb(on, ask(1, rows_of([0] * 7, [2] * 7)))
        desk.run()
        assert max(on.step.climbs + on.step.looks) == 3
        require_as_alone(job, on.network)


def test_a_prediction_is_made_before_the_next_gradient_step() -> None:
    desk, on = Desk(), small()
    desk.climb(on, ask(1, rows_of([0], [50])))
    desk.run(5)
    predicted = desk.look(on, random_images(2, 1))
    desk.run(1)
    predicted.wait()
    assert len(on.step.climbs) == 5


def test_the_first_look_is_the_prediction_and_the_last_is_at_the_end() -> None:
    desk, on, asked = Desk(), small(), ask(1, rows_of([0, 1], [6, 3]))
    job = desk.climb(on, asked)
    desk.run()
    climbed = job.result()
    torch.testing.assert_close(climbed.at_start, on.network(asked.images))
    torch.testing.assert_close(climbed.at_end, on.network(asked.images + climbed.looped.perturbation))
    assert climbed.steps_made.tolist() == [6, 3]


def test_a_row_of_nan_ends_alone_and_says_its_step() -> None:
    desk, on, asked = Desk(), small(), ask(1, rows_of([0, 1, 2], [5, 5, 5]))
    beside = desk.climb(on, ask(2, rows_of([3], [5])))
    asked.images[1, 0, 0, 0] = torch.nan
    job = desk.climb(on, asked)
    desk.run()
    require_as_alone(beside, on.network)
    climbed, (looped, _) = job.result(), alone(on.network, asked)
    assert climbed.looped.non_finite_step.tolist() == [-1, 0, -1]
    torch.testing.assert_close(climbed.looped.perturbation, looped.perturbation, rtol=0, atol=1e-12)
    assert on.step.climbs == [4, 3, 3, 3, 3]


def test_what_raises_for_one_image_fails_its_own_request_alone() -> None:
    desk, on, white = Desk(), small(before=refuse_white), ask(1, rows_of([0, 1], [5, 5]))
    before = desk.climb(on, ask(2, rows_of([3, 2], [5, 2])))
    white.images[1] = 9.0
    job = desk.climb(on, white)
    after = desk.climb(on, ask(3, rows_of([1], [4])))
    desk.run()
    with pytest.raises(ValueError, match="far too white"):
        job.wait()
    for neighbour in (before, after):
        require_as_alone(neighbour, on.network)


def test_a_look_that_raises_fails_alone() -> None:
    desk, on = Desk(), small(before=refuse_white)
    white, grey = desk.look(on, torch.full((1, 2, 5, 4), 9.0).double()), desk.look(on, random_images(1, 1))
    desk.run()
    grey.wait()
    with pytest.raises(ValueError, match="far too white"):
        white.wait()


class Memory:
    """Enough for so many rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def __call__(self, images: Tensor) -> None:
        if len(images) > self.rows:
            raise torch.OutOfMemoryError("not enough for these")


def test_where_memory_does_not_suffice_fewer_rows_are_tried_and_nobody_fails() -> None:
    desk, memory = Desk(), Memory(3)
    on = small(before=memory)
    jobs = [desk.climb(on, ask(seed, rows_of([seed % 4, 1], [4, 6]))) for seed in range(4)]
    desk.run()
    for job in jobs:
        require_as_alone(job, on.network)
    assert max(on.step.climbs) <= 3


def test_after_a_while_more_rows_are_tried_again() -> None:
    desk, memory = Desk(), Memory(2)
    on = small(before=memory)
    desk.climb(on, ask(1, rows_of([0] * 4, [2 * GROW_AFTER_STEPS] * 4)))
    desk.run(3)
    memory.rows = 100
    desk.run(GROW_AFTER_STEPS)
    assert set(on.step.climbs[-5:]) == {2, 4} or on.step.climbs[-1] == 4


def test_what_does_not_fit_alone_is_told_to_come_again() -> None:
    desk = Desk()
    on = small(before=Memory(0))
    job = desk.climb(on, ask(1, rows_of([0], [4])))
    desk.run()
    with pytest.raises(EngineFull, match="not enough memory for this just now; come again in about 1 s"):
        job.wait()


def test_who_is_cancelled_leaves_before_the_next_step() -> None:
    desk, on, token = Desk(), small(), WorkToken()
    gone = desk.climb(on, ask(1, rows_of([0, 1, 2], [50] * 3)), token)
    stays = desk.climb(on, ask(2, rows_of([3], [5])))
    desk.run(2)
    token.cancel()
    desk.run()
    with pytest.raises(Cancelled):
        gone.wait()
    require_as_alone(stays, on.network)
    assert on.step.climbs == [4, 4, 1, 1, 1]


def stopped_after(network: nn.Module, asked: Ask, row: int, steps: int) -> Tensor:
    """The slow loop's perturbation of one row after so many of its steps."""
    mine = asked.rows[row : row + 1]
    options: dict[str, Any] = {
        "score": plain_cross_entropy(int(mine.label)),
        "encourage": bool(mine.encourage),
        "size_rms": float(mine.size_rms),
        "steps": int(mine.steps),
        "overshoot": float(mine.overshoot),
        "momentum": float(mine.momentum),
    }
    if bool(mine.projected):
        return plain_projected(network, asked.images[row], **options)[steps]
    return plain_loop(network, asked.images[row], follow=follow_below(float(mine.size_rms)), **options)[steps]


def require_cut(job: ClimbJob, network: nn.Module, steps: list[int]) -> None:
    """A job that ended has its rows where the slow loop is after so many of their steps, and says which were cut."""
    job.wait()
    climbed, asked = job.result(), job.ask
    assert climbed.steps_made.tolist() == steps
    assert climbed.cut_short.tolist() == [
        made < most for made, most in zip(steps, asked.rows.steps.tolist(), strict=True)
    ]
    for row, made in enumerate(steps):
        expected = stopped_after(network, asked, row, made)
        torch.testing.assert_close(climbed.looped.perturbation[row], expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(climbed.at_start, network(asked.images))
    torch.testing.assert_close(climbed.at_end, network(asked.images + climbed.looped.perturbation))


@pytest.mark.parametrize("projected", [False, True])
@pytest.mark.parametrize("cut_after", [0, 1, 4])
def test_a_row_cut_short_is_where_the_loop_is_after_as_many_steps(projected: bool, cut_after: int) -> None:
    desk, on, token = Desk(), small(), LateToken()
    rows = replace(rows_of([0, 1, 2], [9, 2, 30], momentum=0.3), projected=torch.full((3,), projected))
    beside = desk.climb(on, ask(2, rows_of([3], [7])))
    job = desk.climb(on, ask(1, rows, cut_at_deadline=True), token)
    desk.run(cut_after + (cut_after > 2))  # a look at the end of the row of two steps lies between
    token.be_late()
    desk.run()
    require_cut(job, on.network, [cut_after, min(2, cut_after), cut_after])
    require_as_alone(beside, on.network)


def test_rows_cut_short_are_looked_at_once_and_take_no_further_step() -> None:
    desk, on, token = Desk(), small(), LateToken()
    desk.climb(on, ask(1, rows_of([0, 1], [50, 50]), cut_at_deadline=True), token)
    desk.run(3)
    token.be_late()
    desk.run()
    assert (on.step.climbs, on.step.looks) == ([2, 2, 2], [2])


def test_a_deadline_that_finds_every_row_done_cuts_none() -> None:
    desk, on, token = Desk(), small(), LateToken()
    job = desk.climb(on, ask(1, rows_of([0, 1], [2, 2]), cut_at_deadline=True), token)
    desk.run(2)
    token.be_late()
    desk.run()
    assert not job.result().cut_short.any()
    require_as_alone(job, on.network)


def test_progress_of_a_row_cut_short_ends_where_it_was_cut() -> None:
    desk, on, token = Desk(), small(), LateToken()
    told: list[tuple[int, int]] = []
    asked = ask(1, rows_of([2], [50]), cut_at_deadline=True)
    desk.climb(on, asked, token, lambda progress: told.append((progress.step, progress.steps)))
    desk.run(3)
    token.be_late()
    desk.run()
    assert told == [(0, 50), (1, 50), (2, 50), (3, 50)]


def test_a_row_that_is_not_finite_where_it_was_cut_says_so() -> None:
    heard, on, token = Heard(), small(), LateToken()
    desk = Desk(listener=heard)
    job = desk.climb(on, ask(1, rows_of([2], [50]), cut_at_deadline=True), token)
    desk.run(3)
    next(iter(on.network.parameters())).fill_(torch.nan)
    token.be_late()
    desk.run()
    assert not job.result().at_end.isfinite().any()
    assert heard.outcomes == {"not_finite": 1}


def test_one_cancelled_after_it_was_cut_short_leaves_at_once() -> None:
    desk, on, token = Desk(max_step_rows=1), small(), LateToken()
    job = desk.climb(on, ask(1, rows_of([0, 1, 2], [50] * 3), cut_at_deadline=True), token)
    desk.run(2)
    token.be_late()
    desk.run(1)
    token.cancel()
    desk.run()
    with pytest.raises(Cancelled):
        job.wait()
    assert on.step.looks == [1]


whims = st.tuples(
    st.lists(st.tuples(st.integers(0, CLASSES - 1), st.integers(1, 9)), min_size=1, max_size=4),  # label, steps
    st.integers(0, 12),  # the step before which it comes
    st.one_of(st.none(), st.integers(0, 25)),  # the step before which its time is over
    st.booleans(),  # cut at its deadline, or ended by it
)


@given(asked=st.lists(whims, min_size=1, max_size=5), max_step_rows=st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_whoever_is_late_every_row_ends_once_and_is_where_the_loop_is_by_then(
    asked: list[tuple[list[tuple[int, int]], int, int | None, bool]], max_step_rows: int
) -> None:
    heard = Heard()
    desk, on = Desk(max_step_rows=max_step_rows, listener=heard), small()
    jobs: dict[int, ClimbJob] = {}
    tokens = [LateToken() for _ in asked]
    for at in range(30):
        for number, (rows, comes, late, cut) in enumerate(asked):
            if at == comes:
                of = rows_of([label for label, _ in rows], [steps for _, steps in rows])
                jobs[number] = desk.climb(on, ask(number, of, cut_at_deadline=cut), tokens[number])
            if at == late:
                tokens[number].be_late()
        desk.run(1)
    desk.run()
    assert heard.ended_rows == heard.asked_rows
    cut_short, ended = 0, 0
    for number, job in jobs.items():
        if job.ask.cut_at_deadline or asked[number][2] is None:
            require_cut(job, on.network, job.result().steps_made.tolist())
            cut_short += int(job.result().cut_short.sum())
        else:
            ended += job.unfinished
    assert heard.outcomes["cut_short"] == cut_short
    assert heard.outcomes["deadline"] == ended
    assert not desk.runner._batches


def test_a_row_leaves_early_by_its_own_rule() -> None:
    desk, on = Desk(), small()

    def far_enough(logits: Tensor, perturbation: Tensor, rows: Rows) -> Tensor:
        del logits
        return perturbation.flatten(1).square().mean(1).sqrt() >= rows.size_rms / 2

    rule_bound = ask(1, rows_of([0, 1], [30, 30]), leave_rule=far_enough)
    job, other = desk.climb(on, rule_bound), desk.climb(on, ask(2, rows_of([2], [4])))
    desk.run()
    require_as_alone(other, on.network)
    climbed = job.result()
    assert all(0 < made < 30 for made in climbed.steps_made.tolist())
    assert (climbed.looped.perturbation.flatten(1).square().mean(1).sqrt() >= 0.05).all()
    at_end = on.network(rule_bound.images + climbed.looped.perturbation)
    torch.testing.assert_close(climbed.at_end, at_end)


def test_progress_is_told_at_every_step_and_at_the_end() -> None:
    desk, on, asked = Desk(), small(), ask(1, rows_of([2, 0], [5, 3]))
    told: list[tuple[Progress, Tensor]] = []
    desk.climb(on, ask(2, rows_of([1], [4])))
    job = desk.climb(on, asked, observe=lambda progress: told.append((progress, progress.perturbation())))
    desk.run()
    for row, steps in enumerate([5, 3]):
        mine = [(progress, at) for progress, at in told if progress.row == row]
        assert [(progress.step, progress.steps) for progress, _ in mine] == [(step, steps) for step in range(steps + 1)]
        for progress, at in mine:
            logits = on.network((asked.images[row] + at)[None])
            label = asked.rows.label[row : row + 1]
            assert progress.probability == pytest.approx(float(probability_of(logits, label)))
        assert not mine[0][1].any()
        torch.testing.assert_close(mine[-1][1], job.result().looped.perturbation[row])


def test_an_observer_that_raises_ends_its_own_request_alone() -> None:
    desk, on = Desk(), small()

    def fail(progress: Progress) -> None:
        if progress.step == 2:
            raise ConnectionError("nobody listens")

    job = desk.climb(on, ask(1, rows_of([0, 1], [5, 5])), observe=fail)
    other = desk.climb(on, ask(2, rows_of([3], [5])))
    desk.run()
    with pytest.raises(ConnectionError, match="nobody listens"):
        job.wait()
    require_as_alone(other, on.network)


def test_models_share_the_device_and_one_whose_requests_are_over_is_let_go() -> None:
    desk, first, second = Desk(), small(1), small(2)
    jobs = [desk.climb(on, ask(seed, rows_of([0, 3], [6, 4]))) for on in (first, second) for seed in (1, 2)]
    desk.run()
    for job, on in zip(jobs, [first, first, second, second], strict=True):
        require_as_alone(job, on.network)
    gone = weakref.ref(first.network)
    del first, job, jobs, on
    gc.collect()
    assert gone() is None


def test_no_rows_are_done_at_once() -> None:
    desk, on = Desk(), small()
    job = desk.look(on, random_images(1, 0))
    job.wait()
    assert not len(desk.runner)


def test_what_is_done_is_learnt_and_is_owed_no_more() -> None:
    desk, on = Desk(), small()
    job = desk.climb(on, ask(1, rows_of([0, 1], [4, 4])))
    job.reservation.left = 10_000.0
    desk.run()
    assert on.model.meter.seconds_of(1.0) > 0
    assert job.reservation.left == pytest.approx(10_000 - 2 * 4 * 900 - 2 * 300)
