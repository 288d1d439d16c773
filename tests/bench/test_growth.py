"""Where a cost rises most, by hand."""

from collections.abc import Mapping

import pytest

from app.bench.growth import steepest_rise


@pytest.mark.parametrize(
    ("cost", "rise"),
    [
        ({1: 4.0, 2: 2.0, 4: 3.0, 8: 2.1}, (4, 2)),
        ({1: 4.0, 2: 3.0, 4: 2.0}, (2, 1)),  # it falls all the way, least at first
        ({1: 1.0, 2: 2.0, 4: 3.0}, (4, 1)),
    ],
)
def test_the_steepest_rise_is_over_the_cheapest_smaller_size(cost: Mapping[int, float], rise: tuple[int, int]) -> None:
    assert steepest_rise(cost) == rise
