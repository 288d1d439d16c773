"""Ids sort by time, and are random beyond it."""

from itertools import pairwise

from ulid import ULID

from app.service.ids import new_id


def test_ids_sort_by_the_time_they_were_made_at() -> None:
    ids = [ULID.from_str(new_id()) for _ in range(100)]
    assert [one.timestamp for one in ids] == sorted(one.timestamp for one in ids)


def test_an_id_does_not_tell_the_next_one_of_the_same_millisecond() -> None:
    """Each bit of the random part differs from the one before about as often as a coin falls on the other side."""
    ids = [int.from_bytes(ULID.from_str(new_id()).bytes[6:]) for _ in range(1000)]
    differing = [(one ^ other).bit_count() for one, other in pairwise(ids)]
    assert min(differing) > 10
    assert 38 < sum(differing) / len(differing) < 42
