"""Ratios and goals, worked out by hand."""

import math

import pytest

from app.bench.lines import Goal, as_json, share_of, times_faster


def test_a_quarter_of_the_time_is_four_times_faster() -> None:
    line = times_faster("a", ours_seconds=0.25, peers_seconds=1.0, peer="b", goal=Goal(4))
    assert as_json(line) == {
        "what": "a",
        "ours": 250.0,
        "peers": 1000.0,
        "unit": "ms",
        "peer": "b",
        "ratio": 4.0,
        "to_reach": "≥ 4",
        "reached": True,
    }


def test_a_share_is_ours_over_theirs() -> None:
    line = share_of("memory", 320.0, 300.0, "MB", "after 200", Goal(1.1, at_least=False))
    assert line.ratio == pytest.approx(16 / 15)
    assert line.reached is True


def test_a_share_of_nothing_is_no_number_and_reaches_no_goal() -> None:
    line = as_json(share_of("cross entropy", 0.0, 0.0, "nats", "b", Goal(1.05, at_least=False)))
    assert (line["ratio"], line["reached"]) == (None, False)


@pytest.mark.parametrize(
    ("goal", "ratio", "met"),
    [
        (Goal(2), 2.0, True),
        (Goal(2), 1.99, False),
        (Goal(2, at_least=False), 2.0, True),
        (Goal(2, at_least=False), 2.01, False),
        (Goal(2), math.nan, False),
        (Goal(2, at_least=False), math.nan, False),
    ],
)
def test_a_goal_is_met_at_its_limit_and_never_by_nan(goal: Goal, ratio: float, *, met: bool) -> None:
    assert goal.met(ratio) is met


def test_without_a_goal_there_is_nothing_to_reach() -> None:
    line = as_json(times_faster("a", 1.0, 1.0, "b"))
    assert (line["to_reach"], line["reached"]) == (None, None)
