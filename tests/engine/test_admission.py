"""Who is let in, who is not, and when they are told to come again: sums worked out by hand."""

import pytest

from app.engine.admission import Admission, Bounds, Reservation
from app.errors import EngineFull


def admission(*, places: int = 3, max_held_bytes: int = 1000, max_wait_seconds: float = 60.0) -> Admission:
    return Admission(Bounds(places, max_held_bytes, max_wait_seconds))


def refused(among: Admission, cost: float = 1.0, held_bytes: int = 0) -> EngineFull:
    with pytest.raises(EngineFull) as full:
        among.enter(cost, held_bytes)
    return full.value


def test_no_places_are_refused() -> None:
    with pytest.raises(ValueError, match="give at least 1"):
        Bounds(0, 1, 1.0)


def test_the_place_after_the_last_is_refused_and_one_given_back_is_free() -> None:
    among = admission(places=2)
    first, _ = among.enter(1.0, 0), among.enter(1.0, 0)
    assert among.taken == 2
    full = refused(among)
    assert str(full) == "All 2 places are taken; come again in about 1 s."
    assert full.retry_after_seconds == 1
    among.leave(first)
    among.enter(1.0, 0)


def test_who_finds_a_place_when_all_are_taken_is_told_by_the_rate_measured() -> None:
    """Two requests of 40 and 100 at 2 a second, side by side: the smaller is done after both were given 40."""
    among = admission(places=2)
    among.measured(cost=10.0, seconds=5.0)
    among.enter(100.0, 0), among.enter(40.0, 0)
    assert refused(among).retry_after_seconds == among.retry_after_seconds() == 40


def test_what_was_spent_is_waited_for_no_more() -> None:
    among = admission(places=1)
    among.measured(cost=1.0, seconds=1.0)
    place = among.enter(100.0, 0)
    place.spend(70.0)
    assert refused(among).retry_after_seconds == 30
    place.spend(70.0)
    assert refused(among).retry_after_seconds == 1


def test_memory_is_bounded() -> None:
    among = admission()
    among.enter(1.0, 600)
    assert "memory" in str(refused(among, held_bytes=401))
    among.enter(1.0, 400)


def test_who_would_wait_too_long_is_told_for_how_much_longer_than_allowed() -> None:
    among = admission(max_wait_seconds=60.0)
    among.measured(cost=1.0, seconds=1.0)
    among.enter(80.0, 0)
    full = refused(among, cost=90.0)
    assert full.retry_after_seconds == 20
    assert "longer than this installation lets anybody wait" in str(full)


def test_a_small_request_is_let_in_beside_a_huge_one_since_it_will_be_served_beside_it() -> None:
    among = admission(max_wait_seconds=60.0)
    among.measured(cost=1.0, seconds=1.0)
    among.enter(10_000.0, 0)
    among.enter(59.0, 0)


def test_alone_anything_is_let_in() -> None:
    among = admission()
    among.measured(cost=1.0, seconds=1.0)
    assert isinstance(among.enter(1e12, 10**9), Reservation)


def test_before_anything_was_measured_nobody_is_refused_for_the_wait() -> None:
    among = admission(max_wait_seconds=0.001)
    assert among.cost_per_second is None
    among.enter(1e9, 0), among.enter(1e9, 0)


def test_the_rate_follows_what_is_measured_lately() -> None:
    among = admission()
    among.measured(cost=1.0, seconds=2.0)  # a slow first pass
    for _ in range(100):
        among.measured(cost=50.0, seconds=1.0)
    assert among.cost_per_second == pytest.approx(50.0, rel=1e-3)
