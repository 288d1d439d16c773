"""Every option out of range is a sentence."""

from dataclasses import replace
from typing import Any, get_args

import pytest

from app.errors import OptionError
from app.service.options import ExplainOptions, Method, PredictOptions

BAD: list[tuple[dict[str, Any], str]] = [
    ({"targets": ()}, "targets is empty"),
    ({"direction": "sideways"}, "direction 'sideways' is not offered; it must be one of encourage, discourage"),
    ({"method": "slow"}, "method 'slow' is not offered; it must be one of fast, paper"),
    ({"rho": 0.0}, "rho is 0; it is an RMS pixel size above 0 and at most 1"),
    ({"rho": float("nan")}, "rho is nan"),
    ({"rho": 1.5}, "rho is 1.5"),
    ({"steps": 0}, "steps is 0; it must be gradient steps, from 1 to 1000"),
    ({"heatmap": "x"}, "heatmap 'x' is not offered"),
    ({"overlay": "x"}, "overlay 'x' is not offered"),
    ({"scale": 0.0}, "scale is 0; it is a pixel level above 0 and at most 1, or auto"),
    ({"scale": float("nan")}, "scale is nan"),
    ({"include": ("heatmap", "film")}, "include 'film' is not offered"),
    ({"include": ("heatmap", "curve")}, "include names curve, but there is no sweep; give one, such as sweep=8."),
    ({"sweep": 1}, "sweep is 1; it must be a number of sizes, from 2 to 32."),
    ({"sweep": 33}, "sweep is 33; it must be a number of sizes, from 2 to 32."),
    ({"sweep": (0.1,)}, "sweep has 1 sizes; it must have 2 to 32."),
    ({"sweep": (0.1,) * 33}, "sweep has 33 sizes; it must have 2 to 32."),
    ({"sweep": (0.1, 0.05)}, "sweep has 0.05 after 0.1; its sizes must rise from above 0, to at most 1."),
    ({"sweep": (0.1, 0.1)}, "sweep has 0.1 after 0.1; its sizes must rise"),
    ({"sweep": (0.0, 0.1)}, "sweep has 0 after 0; its sizes must rise from above 0"),
    ({"sweep": (0.1, 1.5)}, "sweep has 1.5 after 0.1; its sizes must rise from above 0, to at most 1."),
    ({"sweep": (0.1, float("nan"))}, "sweep has nan after 0.1"),
    ({"include": ()}, "include is empty"),
    ({"top_k": -1}, "top_k is -1"),
    ({"timeout_ms": 0}, "timeout_ms is 0; it must be milliseconds"),
]


@pytest.mark.parametrize(("option", "sentence"), BAD)
def test_a_value_out_of_range_says_what_would_be_right(option: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError) as raised:
        ExplainOptions(**option)
    assert sentence in str(raised.value)


def test_the_defaults_are_the_documented_ones() -> None:
    options = ExplainOptions()
    assert options.targets == ("predicted", "runner_up")
    assert (options.direction, options.method, options.steps, options.rho) == ("encourage", "fast", None, None)
    assert [replace(options, method=method).most_steps for method in get_args(Method)] == [8, 35, 147]
    assert replace(options, steps=3).most_steps == 3
    assert not options.partial
    assert options.include == ("heatmap", "perturbation", "explained")
    assert PredictOptions().top_k == 5
