"""Works take turns, and a percentile is one of the values."""

import time

import pytest
import torch

from app.bench.timing import medians, percentile, side_by_side

CPU = torch.device("cpu")


def test_works_take_turns_after_a_round_that_is_not_counted() -> None:
    calls: list[tuple[str, int]] = []
    works = {name: lambda number, name=name: calls.append((name, number)) for name in "ab"}
    seconds = side_by_side(works, 2, CPU)
    assert "".join(name for name, _ in calls) == "ab" + "ab" + "ba"
    assert [number for _, number in calls] == [0, 0, 0, 0, 1, 1]
    assert {name: len(taken) for name, taken in seconds.items()} == {"a": 2, "b": 2}


def test_what_is_timed_is_the_work() -> None:
    seconds = side_by_side({"sleeps": lambda number: time.sleep(0.01)}, 1, CPU)
    assert seconds["sleeps"][0] >= 0.01


def test_the_median_is_of_each_work() -> None:
    assert medians({"a": [3.0, 1.0, 2.0], "b": [1.0, 3.0]}) == {"a": 2.0, "b": 2.0}


@pytest.mark.parametrize(("share", "value"), [(0.5, 2.0), (0.51, 3.0), (0.95, 4.0), (1.0, 4.0)])
def test_a_percentile_is_the_smallest_value_that_enough_do_not_exceed(share: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], share) == value
