"""Options, from text and from JSON."""

import contextlib
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import OptionError
from app.service.options import AuditOptions, ExplainOptions, PredictOptions
from app.web.options.audits import AUDIT
from app.web.options.explanations import EXPLAIN
from app.web.options.option import Option
from app.web.options.predictions import PREDICT
from app.web.options.read import Given, audit_options, explain_options, predict_options


def test_every_option_of_the_service_can_be_given() -> None:
    assert {option.name for option in PREDICT} == {field.name for field in fields(PredictOptions)}
    assert {option.name for option in EXPLAIN} == {field.name for field in fields(ExplainOptions)}
    assert {option.name for option in AUDIT} == {field.name for field in fields(AuditOptions)}


@pytest.mark.parametrize(("options", "read"), [(EXPLAIN, ExplainOptions), (AUDIT, AuditOptions)])
def test_the_defaults_described_are_the_services_own(
    options: tuple[Option, ...], read: type[ExplainOptions | AuditOptions]
) -> None:
    service = {field.name: field.default for field in fields(read)}
    for option in options:
        if "default" in option.schema:
            described = option.schema["default"]
            assert (tuple(described) if isinstance(described, list) else described) == service[option.name]


def test_nothing_given_is_the_defaults() -> None:
    assert explain_options({}) == ExplainOptions()
    assert predict_options({}) == PredictOptions()
    assert audit_options({}) == AuditOptions()


def test_null_is_the_default() -> None:
    assert explain_options({"rho": [None], "targets": [None], "against": [None]}) == ExplainOptions()


@pytest.mark.parametrize(
    ("given_options", "expected"),
    [
        ({"targets": ["cat, 3"]}, {"targets": ("cat", "3")}),
        ({"targets": ["cat", "3"]}, {"targets": ("cat", "3")}),
        ({"targets": [["sea, ship", 3]]}, {"targets": ("sea, ship", "3")}),
        ({"targets": [3]}, {"targets": ("3",)}),
        ({"rho": ["0.05"]}, {"rho": 0.05}),
        ({"rho": [".5e-1"]}, {"rho": 0.05}),
        ({"rho": [1]}, {"rho": 1.0}),
        ({"sweep": ["8"]}, {"sweep": 8}),
        ({"sweep": [8]}, {"sweep": 8}),
        ({"sweep": ["0.01, .02"]}, {"sweep": (0.01, 0.02)}),
        ({"sweep": [[0.01, "0.02", 1]]}, {"sweep": (0.01, 0.02, 1.0)}),
        ({"steps": ["7"]}, {"steps": 7}),
        ({"steps": [7.0]}, {"steps": 7}),
        ({"scale": ["auto"]}, {"scale": "auto"}),
        ({"scale": ["0.2"]}, {"scale": 0.2}),
        ({"region": ["1,2, 3,4"]}, {"region": (1, 2, 3, 4)}),
        ({"region": [[1, 2, 3, 4]]}, {"region": (1, 2, 3, 4)}),
        ({"page": ["2"], "frame": [3]}, {"page": 2, "frame": 3}),
        ({"window": ["-600, 1500"]}, {"window": (-600.0, 1500.0)}),
        ({"window": [[40, 400.5]]}, {"window": (40.0, 400.5)}),
        ({"include": ["heatmap,arrays"]}, {"include": ("heatmap", "arrays")}),
        ({"seed": ["-1"]}, {"seed": -1}),
        ({"partial": ["true"]}, {"partial": True}),
        ({"partial": [True]}, {"partial": True}),
        ({"partial": ["false"]}, {}),
        ({"methods": [["adversarial"]], "quality": [False], "margin": ["false"]}, {}),
    ],
)
def test_an_option_is_read_from_text_and_from_json(given_options: Given, expected: dict[str, object]) -> None:
    assert explain_options(given_options) == ExplainOptions(**expected)  # type: ignore[arg-type]  # of many types


@pytest.mark.parametrize(
    ("given_options", "sentence"),
    [
        ({"rho": ["abc"]}, "rho is 'abc'; it must be a number above 0 and at most 1."),
        ({"rho": ["nan"]}, "rho is 'nan'; it must be a number"),
        ({"rho": ["1_0"]}, "rho is '1_0'; it must be a number"),
        ({"rho": [True]}, "rho is True; it must be a number"),
        ({"rho": [[0.1]]}, "rho is a list; it must be a number"),
        ({"rho": [{}]}, "rho is an object; it must be a number"),
        ({"rho": [float("inf")]}, "rho is inf; it must be a number"),
        ({"rho": ["0"]}, "rho is 0; it is an RMS pixel size above 0 and at most 1."),
        ({"rho": ["0.1", "0.2"]}, "rho is given 2 times; give it once."),
        ({"steps": ["3.5"]}, "steps is '3.5'; it must be a whole number from 1 to 1000."),
        ({"steps": [3.5]}, "steps is 3.5; it must be a whole number"),
        ({"steps": ["٣"]}, "steps is '٣'; it must be a whole number"),
        ({"steps": ["1001"]}, "steps is 1001; it must be gradient steps, from 1 to 1000."),
        ({"top_k": ["-1"]}, "top_k is -1; it must be a number of classes"),
        ({"seed": [2**64]}, "seed is 18446744073709551616; it must be a whole number."),
        ({"timeout_ms": ["0"]}, "timeout_ms is 0; it must be milliseconds"),
        ({"partial": ["yes"]}, "partial is 'yes'; it must be true or false."),
        ({"partial": [1]}, "partial is 1; it must be true or false."),
        ({"model": [3]}, "model is 3; it must be the name of a model."),
        ({"targets": [""]}, "targets is empty"),
        ({"targets": [[None]]}, "targets is a list; it must be class names or ids, or predicted, runner_up, all."),
        ({"include": ["film"]}, "include 'film' is not offered; it must be one of heatmap"),
        ({"include": ["sweep"]}, "include names sweep, but there is no sweep; give one, such as sweep=8."),
        ({"sweep": ["0.05"]}, "sweep is '0.05'; it must be a number of sizes from 2 to 32, or the sizes, rising, such"),
        ({"sweep": ["0.05,x"]}, "sweep is '0.05,x'; it must be a number of sizes"),
        ({"sweep": [[0.1, None]]}, "sweep is a list; it must be a number of sizes"),
        ({"sweep": ["0.1", "0.2"]}, "sweep is given 2 times; give it once."),
        ({"sweep": ["0.2,0.1"]}, "sweep has 0.1 after 0.2; its sizes must rise"),
        ({"sweep": [100]}, "sweep is 100; it must be a number of sizes, from 2 to 32."),
        ({"method": ["slow"]}, "method 'slow' is not offered; it must be one of fast, paper, counterfactual."),
        ({"method": ["counterfactual"], "rho": [0.1]}, "rho is given, but method counterfactual finds it by itself"),
        ({"method": ["counterfactual"], "direction": ["discourage"]}, "leave direction out."),
        ({"direction": ["up"]}, "direction 'up' is not offered"),
        ({"heatmap": ["hot"]}, "heatmap 'hot' is not offered"),
        ({"overlay": ["all"]}, "overlay 'all' is not offered"),
        ({"scale": ["big"]}, "scale is 'big'; it must be a number above 0 and at most 1, or auto."),
        ({"color_map": ["x" * 2000]}, "it must be the name of a colour map."),
        (
            {"against": [["cat", "dog"]]},
            "against is a list; it must be the name or id of a class, or predicted or runner_up.",
        ),
        ({"judge": ["cifar10"]}, "judge is given, but reads explained pictures for quality alone; give quality=true."),
        ({"quality": [True], "method": ["counterfactual"]}, "method counterfactual has a size of its own"),
        ({"margin": ["maybe"]}, "margin is 'maybe'; it must be true or false."),
        ({"methods": [["lime"]]}, "methods 'lime' is not offered; it must be one of adversarial, gradient,"),
        ({"target": ["dog"]}, "'target' is no option; did you mean targets?"),
        ({"colour_map": ["x"]}, "'colour_map' is no option; did you mean color_map"),
        ({"region": ["1,2,3"]}, "region is '1,2,3'; it must be left,top,width,height: four whole numbers of pixels."),
        (
            {"region": ["1,2,0,4"]},
            "region is (1, 2, 0, 4); give left,top,width,height in pixels, the last two above 0.",
        ),
        ({"page": ["0"]}, "page is 0; it must be a number, from 1 to 1000000."),
        ({"frame": ["two"]}, "frame is 'two'; it must be a whole number from 1."),
        ({"window": ["40"]}, "window is '40'; it must be center,width: two numbers, the width above 0."),
        ({"window": [[40, "wide"]]}, "window is a list; it must be center,width: two numbers"),
        ({"window": ["40,0"]}, "The window's width is 0; give center,width with a width above 0."),
        ({"zzz": ["x"]}, "'zzz' is no option; the options are model, top_k, second_opinion, timeout_ms, page"),
    ],
)
def test_a_bad_option_is_a_sentence_that_says_what_would_be_right(given_options: Given, sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        explain_options(given_options)
    assert sentence in str(caught.value)


def test_an_option_of_explanations_is_refused_for_a_prediction() -> None:
    with pytest.raises(OptionError, match="rho is an option of explanations, and not one here"):
        predict_options({"rho": ["0.1"]})


@pytest.mark.parametrize(
    ("given_options", "sentence"),
    [
        ({"methods": [["lime"]]}, "methods 'lime' is not offered; it must be one of adversarial, gradient,"),
        ({"methods": [""]}, "methods is empty; give any of adversarial, gradient,"),
        ({"goals": ["hide"]}, "goals 'hide' is not offered; it must be one of move, keep."),
        ({"goals": [[]]}, "goals is empty; give any of move, keep."),
        ({"size_rms": ["0"]}, "size_rms is 0; it is the RMS of a change, from 0.001 to 1."),
        ({"size_rms": ["small"]}, "size_rms is 'small'; it must be a number from 0.001 to 1."),
        ({"steps": ["0"]}, "steps is 0; it must be gradient steps, from 1 to 1000."),
        ({"beside": [["a", "b"]]}, "beside is a list; it must be the name of a model."),
        ({"rho": ["0.1"]}, "rho is an option of explanations, and not one here."),
    ],
)
def test_a_bad_option_of_an_audit_is_a_sentence_that_says_what_would_be_right(
    given_options: Given, sentence: str
) -> None:
    with pytest.raises(OptionError) as caught:
        audit_options(given_options)
    assert sentence in str(caught.value)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
)
NAMES = st.sampled_from([option.name for option in EXPLAIN]) | st.text()


@given(st.dictionaries(NAMES, st.lists(JSON_VALUES, min_size=1, max_size=2), max_size=4))
def test_any_values_are_options_or_a_sentence(given_options: Given) -> None:
    with contextlib.suppress(OptionError):
        explain_options(given_options)
