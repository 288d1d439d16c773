"""Who is let in, who is not, and when they are told to come again: sums worked out by hand."""

import pytest

from app.engine.admission import Admission, Bounds, Meter, Reservation
from app.errors import EngineFull


def meter(cost_per_second: float | None = 1.0) -> Meter:
    """One that measured this, or nothing."""
    made = Meter()
    if cost_per_second is not None:
        made.measured(cost_per_second, 1.0)
    return made


def wanting(cost: float = 1.0, held_bytes: int = 0, by: Meter | None = None) -> Reservation:
    return Reservation(cost, held_bytes, by or meter())


def inside(*reservations: Reservation, places: int = 3, max_held_bytes: int = 1000) -> Admission:
    """An engine's with these in it, that lets nobody wait for more than a minute."""
    admission = Admission(Bounds(places, max_held_bytes, max_wait_seconds=60.0))
    for reservation in reservations:
        admission.enter(reservation)
    return admission


def refused(admission: Admission, newcomer: Reservation | None = None) -> EngineFull:
    with pytest.raises(EngineFull) as full:
        admission.enter(newcomer or wanting())
    return full.value


def test_no_places_are_refused() -> None:
    with pytest.raises(ValueError, match="give at least 1"):
        Bounds(0, 1, 1.0)


def test_the_place_after_the_last_is_refused_and_one_given_back_is_free() -> None:
    first = wanting()
    admission = inside(first, wanting(), places=2)
    assert admission.taken == 2
    full = refused(admission)
    assert str(full) == "All 2 places are taken; come again in about 2 s."
    assert full.retry_after_seconds == 2
    admission.leave(first)
    admission.enter(wanting())


def test_who_finds_all_places_taken_is_told_by_the_rate_measured() -> None:
    """Two requests of 40 and 100 at 2 a second, side by side: the smaller is done after both were given 40."""
    fast = meter(cost_per_second=2.0)
    admission = inside(wanting(100.0, by=fast), wanting(40.0, by=fast), places=2)
    assert refused(admission).retry_after_seconds == admission.retry_after_seconds() == 40


def test_each_kind_of_work_has_a_rate_of_its_own() -> None:
    admission = inside(wanting(100.0, by=meter(1.0)), wanting(100.0, by=meter(5.0)), places=2)
    assert refused(admission).retry_after_seconds == 40


def test_what_was_spent_is_waited_for_no_more() -> None:
    request = wanting(100.0)
    admission = inside(request, places=1)
    request.spend(70.0)
    assert refused(admission).retry_after_seconds == 30
    request.spend(70.0)
    assert refused(admission).retry_after_seconds == 1


def test_memory_is_bounded() -> None:
    admission = inside(wanting(held_bytes=600))
    assert "memory" in str(refused(admission, wanting(held_bytes=401)))
    admission.enter(wanting(held_bytes=400))


def test_who_would_wait_too_long_is_told_for_how_much_longer_than_allowed() -> None:
    full = refused(inside(wanting(80.0)), wanting(90.0))
    assert full.retry_after_seconds == 20
    assert "longer than this installation lets anybody wait" in str(full)


def test_a_small_request_is_let_in_beside_a_huge_one_since_it_will_be_served_beside_it() -> None:
    inside(wanting(10_000.0)).enter(wanting(59.0))


def test_alone_anything_is_let_in() -> None:
    inside(wanting(1e12, held_bytes=10**9))


def test_before_anything_was_measured_nobody_is_refused_for_the_wait() -> None:
    unknown = meter(None)
    inside(wanting(1e9, by=unknown), wanting(1e9, by=unknown))


def test_a_rate_follows_what_is_measured_lately() -> None:
    lately = Meter()
    lately.measured(cost=1.0, seconds=2.0)  # a slow first pass
    for _ in range(100):
        lately.measured(cost=50.0, seconds=1.0)
    assert lately.seconds_of(50.0) == pytest.approx(1.0, rel=1e-3)
