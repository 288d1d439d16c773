"""Explanations by id, while they are worked on."""

import pytest

from app.engine.token import WorkToken
from app.errors import Cancelled
from app.service.running import Running


def test_one_is_cancelled_alone_and_has_no_answer_however_late_it_was() -> None:
    running, mine, other = Running(), WorkToken(), WorkToken()
    with running.cancellable("other", other):
        with pytest.raises(Cancelled, match="cancelled by its id"), running.cancellable("mine", mine):
            assert running.cancel("mine")
        other.check()


def test_one_that_has_ended_is_unknown_however_it_ended() -> None:
    running = Running()
    with running.cancellable("done", WorkToken()):
        assert "done" in running
    with pytest.raises(KeyError), running.cancellable("failed", WorkToken()):
        raise KeyError
    for ended in ("done", "failed", "never"):
        assert ended not in running
        assert not running.cancel(ended)
