"""Every question is asked once, and every answer is timed."""

import threading
import time

import pytest

from app.bench.clients import Round, ask_for, ask_in_all


def test_between_them_clients_ask_each_once() -> None:
    asked: list[int] = []
    done = ask_in_all(range(3, 10), [asked.append] * 3)
    assert sorted(asked) == [3, 4, 5, 6, 7, 8, 9]
    assert len(done.latencies) == 7


def test_a_client_asks_until_the_time_is_over_and_no_number_twice() -> None:
    asked: list[int] = []

    def ask(number: int) -> None:
        asked.append(number)
        time.sleep(0.01)

    done = ask_for(0.1, [ask] * 3)
    assert len(set(asked)) == len(asked) == len(done.latencies) > 3
    assert set(range(3)) <= set(asked)
    assert done.seconds >= 0.1
    assert min(done.latencies) >= 0.01


def test_clients_ask_at_once() -> None:
    """Each waits for the other: one after the other would never end."""
    together = threading.Barrier(2)
    assert len(ask_in_all(range(2), [lambda number: together.wait(20)] * 2).latencies) == 2


def test_a_question_without_an_answer_fails_the_round() -> None:
    def ask(number: int) -> None:
        raise ConnectionError(number)

    with pytest.raises(ConnectionError):
        ask_in_all(range(2), [ask])


def test_the_rate_is_answers_over_all_of_the_time() -> None:
    assert Round(seconds=2.0, latencies=[0.5, 1.0, 1.5]).per_second == 1.5
