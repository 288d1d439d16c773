"""An image explained by tiles: every number is what the network says of the picture that is sent, cut out again."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.engine.device import Engine, EngineLimits
from app.engine.token import WorkToken
from app.errors import OptionError
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.options import ExplainOptions, PredictOptions
from tests.service.test_explainer import LIMITS, SIDE, explain, pixels, png, save_model

MAX_ROWS = 36


@pytest.fixture
def explainer(tmp_path: Path) -> Iterator[Explainer]:
    for name in ("stretch", "letterbox", "center_crop"):
        save_model(tmp_path / name, fit=name)
    engine = Engine(EngineLimits(places=2))
    yield Explainer(Catalogue(tmp_path, "cpu", "stretch"), engine, decode_limits=LIMITS, max_rows=MAX_ROWS)
    engine.close()


@pytest.mark.parametrize("model", ["stretch", "letterbox", "center_crop"])
def test_each_tile_of_what_is_sent_is_read_as_reported(explainer: Explainer, model: str) -> None:
    data = png(60, 83)
    result = explain(explainer, data, model=model, targets=("all",), tile=40, top_k=0)
    for one in result.explanations:
        assert [(tile.box.left, tile.box.top) for tile in one.tiles] == [
            (0, 0), (30, 0), (43, 0), (0, 20), (30, 20), (43, 20),
        ]  # fmt: skip
        for tile in one.tiles:
            assert (tile.box.width, tile.box.height) == (40, 40)
            region = (tile.box.left, tile.box.top, tile.box.width, tile.box.height)
            for upload, probability in (
                (data, tile.probability_before),
                (one.pictures["explained"].png, tile.probability_after),
            ):
                asked = PredictOptions(model=model, top_k=0, region=region)
                top = explainer.predict(upload, asked, WorkToken()).prediction.top
                by_class = {entry.class_id: entry.probability for entry in top}
                assert by_class[one.target_id] == pytest.approx(probability, abs=1e-6)
                if upload is data:
                    assert top[0].name == tile.predicted.name


def test_the_explanations_own_numbers_are_of_the_whole_seen_at_once(explainer: Explainer) -> None:
    data = png(64, 64)
    tiled = explain(explainer, data, targets=("predicted", "runner_up"), tile=32, tile_overlap=0.5)
    at_once = explain(explainer, data, targets=("predicted", "runner_up"))
    for one, other in zip(tiled.explanations, at_once.explanations, strict=True):
        assert (one.target, one.role, one.probability_before) == (other.target, other.role, other.probability_before)
        top = explainer.predict(one.pictures["explained"].png, PredictOptions(top_k=0), WorkToken()).prediction.top
        assert {entry.class_id: entry.probability for entry in top}[one.target_id] == pytest.approx(
            one.probability_after, abs=1e-6
        )
        assert (len(one.tiles), one.steps, one.converged) == (9, 8, True)
        assert one.methods["adversarial"].gradient_evaluations == sum(tile.steps for tile in one.tiles)
        assert one.most_moved_tile is max(one.tiles, key=lambda tile: tile.probability_after - tile.probability_before)


def test_a_single_tile_is_the_explanation_of_the_whole(explainer: Explainer) -> None:
    data = png(32, 32)
    tiled, at_once = (explain(explainer, data, targets=("dog",), **options) for options in ({"tile": 32}, {}))
    for name in ("heatmap", "perturbation", "explained"):
        one, other = (pixels(result.explanations[0].pictures[name].png) for result in (tiled, at_once))
        assert np.abs(one.astype(int) - other).max() <= 1
    (tile,) = tiled.explanations[0].tiles
    assert tile.probability_after == pytest.approx(at_once.explanations[0].probability_after, abs=1e-3)
    assert tile.perturbation_rms == pytest.approx(0.1, rel=0.1)


def test_every_tile_moves_as_asked_for(explainer: Explainer) -> None:
    for direction, sign in (("encourage", 1), ("discourage", -1)):
        result = explain(explainer, png(48, 64), targets=("cat",), tile=32, tile_overlap=0, direction=direction)
        for tile in result.explanations[0].tiles:
            assert sign * (tile.probability_after - tile.probability_before) > 0


def test_a_region_is_what_tiles_cover(explainer: Explainer) -> None:
    data = png(60, 80)
    result = explain(explainer, data, targets=("cat",), tile="input", region=(10, 20, 24, 16))
    boxes = [tile.box for tile in result.explanations[0].tiles]
    assert {box.width for box in boxes} == {SIDE}
    assert (min(box.left for box in boxes), min(box.top for box in boxes)) == (10, 20)
    assert (max(box.left for box in boxes), max(box.top for box in boxes)) == (10 + 24 - SIDE, 20 + 16 - SIDE)
    changed = (pixels(result.explanations[0].pictures["explained"].png) != pixels(data)).any(axis=2)
    assert changed[20:36, 10:34].any()
    changed[20:36, 10:34] = False
    assert not changed.any()


def test_who_asks_for_too_many_tiles_is_told_how_large_they_have_to_be(explainer: Explainer) -> None:
    data = png(64, 64)
    with pytest.raises(
        OptionError, match=r"11 x 11 tiles for 1 targets come to 121 explanations; .*tile=(\d+)"
    ) as said:
        explain(explainer, data, targets=("cat",), tile="input")
    least = int(str(said.value).partition("tile=")[2].split()[0])
    assert len(explain(explainer, data, targets=("cat",), tile=least).explanations[0].tiles) <= MAX_ROWS
    with pytest.raises(OptionError, match="tiles"):
        explain(explainer, data, targets=("cat",), tile=least - 1)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"tile": 0}, "tile is 0"),
        ({"tile_overlap": 0.6}, "tile_overlap is 0.6"),
        ({"tile": 8, "sweep": 3}, "sweep"),
        ({"tile": 8, "method": "counterfactual"}, "counterfactual"),
        ({"tile": 8, "methods": ("gradcam",)}, "gradcam"),
        ({"tile": 8, "include": ("arrays",)}, "arrays"),
        ({"tile": 8, "quality": True}, "quality"),
        ({"picture_side": 3}, "picture_side is 3"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        ExplainOptions(**options)  # type: ignore[arg-type]  # names and values are options'


def test_a_smaller_picture_changes_no_number(explainer: Explainer) -> None:
    data = png(60, 90)
    small, large = (explain(explainer, data, targets=("cat",), picture_side=side) for side in (30, None))
    (one,), (other,) = small.explanations, large.explanations
    assert (one.probability_after, one.perturbation_rms) == (other.probability_after, other.perturbation_rms)
    assert (one.pictures["explained"].width, one.pictures["explained"].height) == (30, 20)
    blocks = pixels(other.pictures["explained"].png).reshape(20, 3, 30, 3, 3).mean(axis=(1, 3))
    assert np.abs(pixels(one.pictures["explained"].png) - blocks).max() <= 0.51


def test_sheets_and_verdicts_go_with_tiles(explainer: Explainer) -> None:
    result = explain(explainer, png(40, 40), targets=("cat", "dog"), tile=24, include=("sheet",), partial=True)
    assert result.sheet is not None
    assert all(one.verdict is not None and len(one.tiles) == 4 for one in result.explanations)
