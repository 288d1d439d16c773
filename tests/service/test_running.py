"""Explanations by id, while they are worked on."""

import pytest

from app.engine.token import WorkToken
from app.errors import Cancelled, UnknownExplanation
from app.service.running import Running


def test_one_is_cancelled_alone_and_has_no_answer_however_late_it_was() -> None:
    running, mine, other = Running(), WorkToken(), WorkToken()
    with running.kept("other", other):
        with pytest.raises(Cancelled, match="cancelled by its id"), running.kept("mine", mine):
            running.cancel("mine")
        other.check()


def test_one_that_has_ended_is_unknown_however_it_ended() -> None:
    running = Running()
    with running.kept("done", WorkToken()):
        pass
    with pytest.raises(KeyError), running.kept("failed", WorkToken()):
        raise KeyError
    for ended in ("done", "failed", "never"):
        with pytest.raises(UnknownExplanation, match="No explanation of this id is worked on"):
            running.cancel(ended)
