"""A target explained at rising sizes, on a small real network."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from app.adversarial.explain import Direction
from app.engine.device import Engine, EngineLimits
from app.engine.telemetry import PlaceLeft, StepMade
from app.engine.token import WorkToken
from app.errors import OptionError
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.explaining.sheet import CELL_PIXELS, GAP_PIXELS, LINE_PIXELS
from app.service.explaining.sweep import draw_curve
from app.service.options import ExplainOptions, Method
from app.service.results.explanation import TargetExplanation
from tests.engine.listening import Heard
from tests.service.test_explainer import LIMITS, SIDE, png, save_model

SIZES = (0.02, 0.05, 0.1, 0.15)
TOLERANCE = 1e-4  # rows that share a step with others are summed up in another order


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def explainer(tmp_path: Path, heard: Heard) -> Iterator[Explainer]:
    save_model(tmp_path / "m")
    engine = Engine(EngineLimits(places=1), heard)
    yield Explainer(Catalogue(tmp_path, "cpu", "m"), engine, decode_limits=LIMITS, max_rows=12)
    engine.close()


def explained(explainer: Explainer, data: bytes, options: ExplainOptions) -> tuple[TargetExplanation, ...]:
    return explainer.explain(data, options, WorkToken()).explanations


def pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("direction", ["encourage", "discourage"])
@pytest.mark.parametrize("against", [None, "dog"])
@pytest.mark.parametrize("method", ["fast", "paper"])
def test_a_sweep_is_at_each_size_what_an_explanation_of_that_size_is(
    explainer: Explainer, method: Method, against: str | None, direction: Direction
) -> None:
    data = png(20, 30)
    options = ExplainOptions(
        targets=("cat", "ship"), against=against, direction=direction, method=method, steps=8, include=("explained",)
    )
    swept = explained(explainer, data, replace(options, sweep=SIZES, include=("explained", "sweep")))
    for number, size in enumerate(SIZES, start=1):
        for one, alone in zip(swept, explained(explainer, data, replace(options, rho=size)), strict=True):
            point = one.sweep[number]
            assert (point.target, point.rho, point.steps) == (alone.target, size, alone.steps)
            assert (point.converged, point.goal_met) == (alone.converged, alone.goal_met)
            assert point.changed_class_to == alone.changed_class_to
            assert point.probability_after == pytest.approx(alone.probability_after, abs=TOLERANCE)
            assert point.margin_after == pytest.approx(alone.margin_after, abs=10 * TOLERANCE)
            assert point.perturbation_rms == pytest.approx(alone.perturbation_rms, abs=TOLERANCE)
            assert point.perturbation_l2 == pytest.approx(
                alone.perturbation_l2, abs=14 * TOLERANCE
            )  # 14: sqrt(3 * 8 * 8)
            shown, expected = (pixels(each.pictures["explained"].png).astype(int) for each in (point, alone))
            assert np.abs(shown - expected).max() <= 1


def test_what_is_explained_at_rho_is_the_same_with_a_sweep_and_without(explainer: Explainer) -> None:
    options = ExplainOptions(targets=("all",), include=("explained",))
    without, swept = (explained(explainer, png(SIDE, SIDE), replace(options, sweep=n)) for n in (None, 3))
    for one, other in zip(without, swept, strict=True):
        assert other.probability_after == pytest.approx(one.probability_after, abs=TOLERANCE)
        assert list(other.pictures) == ["explained"]
        assert (one.sweep, len(other.sweep)) == ((), 4)


def test_other_methods_stand_beside_the_explanation_alone(explainer: Explainer) -> None:
    options = ExplainOptions(targets=("ship",), sweep=SIZES, methods=("gradient",), include=("curve", "heatmap"))
    (one,) = explained(explainer, png(SIDE, SIDE), options)
    assert list(one.pictures) == ["curve", "heatmap", "gradient_heatmap"]
    assert one.agreement is not None
    assert {(tuple(point.methods), point.agreement) for point in one.sweep[1:2]} == {(("adversarial",), None)}


def test_a_sweep_begins_with_the_upload(explainer: Explainer) -> None:
    data = png(SIDE, SIDE)
    (one,) = explained(explainer, data, ExplainOptions(targets=("ship",), sweep=SIZES, include=("sweep",)))
    first = one.sweep[0]
    assert (first.rho, first.perturbation_rms, first.perturbation_l2, first.steps) == (0, 0, 0, 0)
    assert first.probability_after == first.probability_before == one.probability_before
    np.testing.assert_array_equal(pixels(first.pictures["explained"].png), pixels(data))


def test_so_many_sizes_go_evenly_up_to_twice_rho_which_is_among_them_where_it_can_be(explainer: Explainer) -> None:
    (one,) = explained(explainer, png(8, 8), ExplainOptions(targets=("cat",), rho=0.03, sweep=6, include=("sweep",)))
    assert [point.rho for point in one.sweep] == pytest.approx([0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06])
    assert one.sweep[3].rho == 0.03
    assert ExplainOptions(sweep=4).sweep_sizes(0.8) == pytest.approx([0.25, 0.5, 0.75, 1])


def test_all_sizes_of_all_targets_share_each_step_and_are_counted_at_the_door(
    explainer: Explainer, heard: Heard
) -> None:
    """The model's rho is among the sizes, so it costs no row of its own."""
    explained(explainer, png(8, 8), ExplainOptions(targets=("all",), method="paper", steps=5, sweep=SIZES))
    assert [event.rows for event in heard.events if isinstance(event, StepMade) and event.kind == "climb"] == [12] * 5
    assert [event.rows for event in heard.events if isinstance(event, PlaceLeft)] == [12]


def test_too_many_sizes_of_too_many_targets_are_said_to_be(explainer: Explainer) -> None:
    with pytest.raises(OptionError, match="3 targets at 5 sizes, rho among them, come to 15 explanations; at most 12"):
        explained(explainer, png(8, 8), ExplainOptions(targets=("all",), rho=0.3, sweep=SIZES))


def test_the_film_has_a_frame_for_each_size_the_picture_of_that_size(explainer: Explainer) -> None:
    options = ExplainOptions(targets=("ship",), sweep=SIZES, include=("animation", "sweep"))
    (one,) = explained(explainer, png(20, 30), options)
    assert one.animation is not None
    with Image.open(io.BytesIO(one.animation.webp)) as film:
        assert (film.format, film.size, film.info["loop"]) == ("WEBP", (13 * 30, 13 * 20), 0)
        assert getattr(film, "n_frames") == one.animation.frames == len(one.sweep) == 5  # noqa: B009 - not in its type
        for number, point in enumerate(one.sweep):
            film.seek(number)
            np.testing.assert_array_equal(
                np.asarray(film.convert("RGB"))[::13, ::13], pixels(point.pictures["explained"].png)
            )


def test_the_film_strip_shows_each_picture_in_its_place(explainer: Explainer) -> None:
    options = ExplainOptions(targets=("ship",), sweep=10, include=("film_strip", "sweep"))
    (one,) = explained(explainer, png(SIDE, SIDE), options)
    strip, factor = pixels(one.pictures["film_strip"].png), CELL_PIXELS // SIDE
    for number, point in enumerate(one.sweep):
        line, column = divmod(number, 9)
        top = GAP_PIXELS + line * (CELL_PIXELS + 3 * LINE_PIXELS + GAP_PIXELS)
        left = GAP_PIXELS + column * (CELL_PIXELS + GAP_PIXELS)
        cell = strip[top : top + CELL_PIXELS : factor, left : left + CELL_PIXELS : factor]
        np.testing.assert_array_equal(cell, pixels(point.pictures["explained"].png))


def test_the_curve_goes_through_the_numbers_of_the_answer(explainer: Explainer) -> None:
    options = ExplainOptions(targets=("ship",), sweep=SIZES, include=("curve",))
    (one,) = explained(explainer, png(SIDE, SIDE), options)
    axes = Figure().add_subplot()
    draw_curve(axes, one.sweep)
    line, same, changed = (drawn.get_xydata() for drawn in axes.lines)
    points = [(point.perturbation_rms, point.probability_after) for point in one.sweep]
    np.testing.assert_array_equal(line, points)
    for marked, is_changed in ((same, False), (changed, True)):
        expected = [
            at for at, point in zip(points, one.sweep, strict=True) if bool(point.changed_class_to) is is_changed
        ]
        np.testing.assert_array_equal(marked, np.reshape(expected, (-1, 2)))
    assert pixels(one.pictures["curve"].png).shape == (675, 1050, 3)


def test_pictures_of_a_large_upload_are_shrunk_and_its_numbers_are_those_of_the_whole(explainer: Explainer) -> None:
    data, options = png(400, 1024), ExplainOptions(targets=("ship",), rho=0.05, include=("explained",))
    (one,) = explained(explainer, data, replace(options, sweep=(0.05, 0.1), include=("sweep", "animation")))
    (alone,) = explained(explainer, data, options)
    assert one.sweep[1].probability_after == pytest.approx(alone.probability_after, abs=TOLERANCE)
    assert pixels(one.sweep[1].pictures["explained"].png).shape == (200, 512, 3)
    assert one.animation is not None
    assert (one.animation.width, one.animation.height) == (1024, 400)


def test_a_class_named_like_a_formula_is_drawn_as_it_is_named(explainer: Explainer) -> None:
    (one,) = explained(explainer, png(8, 8), ExplainOptions(targets=("cat",), sweep=SIZES, include=("sweep",)))
    axes = Figure().add_subplot()
    draw_curve(axes, [replace(point, target="$x_{") for point in one.sweep])
    axes.figure.canvas.draw_idle()
    assert axes.get_title() == r"more \$x_{"
