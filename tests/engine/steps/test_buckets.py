"""Any number of rows out of a few sizes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.steps.buckets import plan, slices

few = settings(max_examples=50, deadline=None)  # a plan is a pure function of small numbers
SIZES = st.sets(st.integers(1, 40), min_size=1, max_size=5).map(tuple)


def cost(chosen: tuple[int, ...]) -> int:
    return sum(bucket + 1 for bucket in chosen)


@few
@given(st.integers(0, 200), SIZES)
def test_every_row_is_in_one_part_and_in_order(rows: int, buckets: tuple[int, ...]) -> None:
    parts = list(slices(rows, buckets))
    assert [row for _, part in parts for row in range(part.start, part.stop)] == list(range(rows))
    assert all(bucket in buckets and 0 < part.stop - part.start <= bucket for bucket, part in parts)


@few
@given(st.integers(1, 40), SIZES)
def test_a_size_that_was_compiled_is_used_as_it_is(rows: int, buckets: tuple[int, ...]) -> None:
    assert plan(rows, (*buckets, rows))[-1:] == (rows,) or cost(plan(rows, (*buckets, rows))) <= rows + 1


@few
@given(st.integers(0, 60), st.integers(0, 60), SIZES)
def test_more_rows_never_cost_less(fewer: int, more: int, buckets: tuple[int, ...]) -> None:
    fewer, more = sorted((fewer % max(buckets), more % max(buckets)))
    assert cost(plan(fewer, buckets)) <= cost(plan(more, buckets))


@pytest.mark.parametrize(
    ("rows", "chosen"),
    [
        (0, ()),
        (1, (1,)),
        (3, (2, 1)),
        (6, (4, 2)),
        (7, (4, 2, 1)),
        (5, (4, 1)),
        (12, (4, 4, 4)),
        (15, (16,)),
        (50, (16, 16, 16, 2)),
    ],
)
def test_by_hand(rows: int, chosen: tuple[int, ...]) -> None:
    assert plan(rows, (1, 2, 4, 16)) == chosen
