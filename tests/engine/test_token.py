"""A token's three answers: go on, whoever asked is gone, the time is over."""

import time

import pytest

from app.engine.token import WorkToken
from app.errors import Cancelled, DeadlineExceeded


def test_a_fresh_token_lets_work_go_on() -> None:
    WorkToken().check()
    WorkToken(60).check()


def test_a_cancelled_token_says_so_and_more_than_once() -> None:
    token = WorkToken(60)
    token.cancel()
    token.cancel()
    for _ in range(2):
        with pytest.raises(Cancelled):
            token.check()


def test_a_deadline_passes_and_says_what_was_allowed() -> None:
    token = WorkToken(0.02)
    time.sleep(0.03)
    with pytest.raises(DeadlineExceeded, match="within 20 ms; ask for fewer targets or steps"):
        token.check()
    assert token.remaining_seconds() == 0


def test_remaining_seconds_fall_from_the_timeout() -> None:
    remaining = WorkToken(60).remaining_seconds()
    assert remaining is not None
    assert 59 < remaining <= 60
    assert WorkToken().remaining_seconds() is None


def test_a_call_is_made_once_and_only_inside_its_block() -> None:
    token, calls = WorkToken(), list[int]()
    with token.calling_when_cancelled(lambda: calls.append(1)):
        pass
    with token.calling_when_cancelled(lambda: calls.append(2)):
        token.cancel()
    assert calls == [2]


def test_a_call_is_made_at_once_where_the_token_was_cancelled_before() -> None:
    token, calls = WorkToken(), list[int]()
    token.cancel()
    with token.calling_when_cancelled(lambda: calls.append(1)):
        assert calls == [1]


def test_without_its_deadline_a_token_goes_on_where_its_time_is_over() -> None:
    late = WorkToken(0.0)
    late.without_deadline().check()
    assert late.without_deadline().remaining_seconds() is None
    with pytest.raises(DeadlineExceeded):
        late.check()


@pytest.mark.parametrize("cancelled_before", [True, False])
def test_without_its_deadline_a_token_is_cancelled_with_the_one_it_was_made_from(cancelled_before: bool) -> None:
    token, calls = WorkToken(60), list[int]()
    if cancelled_before:
        token.cancel("mine")
    other = token.without_deadline()
    with other.calling_when_cancelled(lambda: calls.append(1)):
        if not cancelled_before:
            token.cancel("mine")
    assert calls == [1]
    with pytest.raises(Cancelled, match="mine"):
        other.check()
