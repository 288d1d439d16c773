"""How good maps are said to be: against the measures themselves, asked of the network without an engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from app.adversarial.explain import explain, fast_rows
from app.adversarial.loop import Network
from app.comparison.deletion import deletion_insertion, importance_of
from app.comparison.gain import gain_of
from app.comparison.methods import METHODS
from app.comparison.stability import stability
from app.engine.device import Engine, EngineLimits
from app.engine.token import WorkToken
from app.errors import DeadlineExceeded, OptionError, UnknownModel
from app.networks.checkpoint import load_checkpoint, save_checkpoint
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.options import QUALITY_NOISE, ExplainOptions
from app.service.results.explanation import TargetExplanation
from tests.engine.small import LateToken
from tests.service.test_explainer import LIMITS, SIDE, png, save_model
from tests.service.test_margins import image
from tests.service.test_second_opinion import favour, save_pair

DATA = png(SIDE, SIDE)
RHO = 0.08


@pytest.fixture
def models(tmp_path: Path) -> Path:
    save_model(tmp_path / "small")
    save_model(tmp_path / "other", seed=5)
    return tmp_path


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(EngineLimits(places=1))
    yield engine
    engine.close()


def explained(
    models: Path, engine: Engine, token: WorkToken | None = None, *, default: str = "small", **options: object
) -> tuple[TargetExplanation, ...]:
    explainer = Explainer(Catalogue(models, "cpu", default), engine, decode_limits=LIMITS, max_rows=9)
    asked = ExplainOptions(rho=RHO, quality=True, include=("heatmap",), **options)  # type: ignore[arg-type]
    return explainer.explain(DATA, asked, token or WorkToken()).explanations


def adversarial(network: Network, images: Tensor, target: Tensor) -> Tensor:
    return explain(network, images, fast_rows(target, direction="encourage", rho=RHO)).perturbation


def test_each_figure_is_what_the_measures_find_of_the_network(models: Path, engine: Engine) -> None:
    network, images = load_checkpoint(models / "small", "cpu").network, image()[None]
    for one in explained(models, engine, methods=("adversarial", "gradient", "gradcam")):
        assert one.quality is not None
        target = torch.tensor([one.target_id])
        maps = {"adversarial": adversarial(network, images, target)}
        maps |= {name: METHODS[name](network, images, target).map for name in ("gradient", "gradcam")}
        kinds = {"adversarial": "magnitude", "gradient": "magnitude", "gradcam": "signed"}
        order = torch.stack([importance_of(maps[name], kinds[name]) for name in maps])  # type: ignore[arg-type]
        areas = deletion_insertion(network, images, target, order)
        assert list(one.quality.methods) == list(maps)
        for number, (name, found) in enumerate(one.quality.methods.items()):
            gain = gain_of(network, images, target, maps[name].expand_as(images), size_rms=RHO)
            assert found.probability_gain_per_rms == pytest.approx(float(gain.gain_per_rms), rel=1e-3, abs=1e-5)
            assert found.deletion_area == pytest.approx(float(areas.deletion.explanations[number]), abs=1e-5)
            assert found.insertion_area == pytest.approx(float(areas.insertion.explanations[number]), abs=1e-5)
            stable = stability(
                lambda shown, label, name=name: (  # type: ignore[misc]
                    adversarial(network, shown, label)
                    if name == "adversarial"
                    else METHODS[name](network, shown, label).map
                ),
                images,
                target,
                QUALITY_NOISE,
            )
            assert found.max_sensitivity == pytest.approx(float(stable.max_sensitivity), rel=1e-3)
            assert found.repeat_ssim_mean == pytest.approx(float(stable.repeatability.ssim_mean), rel=1e-3)
            assert found.repeat_rank_correlation_least == pytest.approx(
                float(stable.repeatability.spearman_least), abs=1e-3
            )
        assert one.quality.random.deletion_area == pytest.approx(float(areas.deletion.random), abs=1e-5)
        assert one.quality.edges.insertion_area == pytest.approx(float(areas.insertion.edges), abs=1e-5)


def test_areas_are_of_the_class_whichever_way_it_is_moved(models: Path, engine: Engine) -> None:
    more = explained(models, engine, targets=("1",), methods=("integrated_gradients",))[0].quality
    less = explained(models, engine, targets=("1",), methods=("integrated_gradients",), direction="discourage")[0]
    assert more is not None
    assert less.quality is not None
    one, other = (quality.methods["integrated_gradients"] for quality in (more, less.quality))
    assert one.deletion_area == pytest.approx(other.deletion_area, abs=1e-6)
    assert one.max_sensitivity == pytest.approx(other.max_sensitivity, rel=1e-4)


def test_a_gain_is_of_what_was_asked_for(models: Path, engine: Engine) -> None:
    for direction in ("encourage", "discourage"):
        (one,) = explained(models, engine, targets=("1",), direction=direction)
        assert one.quality is not None
        assert one.quality.methods["adversarial"].probability_gain_per_rms > 0


def test_the_cost_counts_every_map_again_for_each_noisy_image(models: Path, engine: Engine) -> None:
    (one,) = explained(models, engine, targets=("1",), methods=("gradient",), steps=3)
    assert one.quality is not None
    assert one.quality.cost.gradient_evaluations == QUALITY_NOISE.maps * (3 + 1)
    curves = 2 * 33 * (2 + 1 + 3)  # deletion and insertion, of two methods, edges and three random orders
    assert one.quality.cost.forward_passes == curves + 2 * 2 + QUALITY_NOISE.maps * 2


def test_only_the_explanation_of_the_size_asked_for_is_measured(models: Path, engine: Engine) -> None:
    (one,) = explained(models, engine, targets=("1",), sweep=(0.02, RHO))
    assert one.quality is not None
    assert [point.quality for point in one.sweep[:2]] == [None, None]


def test_without_being_asked_for_nothing_is_measured(models: Path, engine: Engine) -> None:
    explainer = Explainer(Catalogue(models, "cpu", "small"), engine, decode_limits=LIMITS, max_rows=9)
    for one in explainer.explain(DATA, ExplainOptions(), WorkToken()).explanations:
        assert (one.quality, one.judge) == (None, None)


def test_after_the_deadline_it_is_left_out_where_a_part_is_enough(models: Path, engine: Engine) -> None:
    class LateForQuality(LateToken):
        """Late once both rows are explained: at the passes of the first curve."""

        def __init__(self) -> None:
            super().__init__()
            self.checks = 0

        def check(self) -> None:
            self.checks += 1
            if self.checks > 40:
                self.be_late()
            super().check()

    found = explained(models, engine, LateForQuality(), partial=True, steps=2, methods=("adversarial", "occlusion"))
    assert found[-1].quality is None
    with pytest.raises(DeadlineExceeded):
        explained(models, engine, LateForQuality(), steps=2, methods=("adversarial", "occlusion"))


def test_a_judge_reads_the_very_picture_that_is_sent(models: Path, engine: Engine) -> None:
    network = load_checkpoint(models / "other", "cpu").network
    for one in explained(models, engine, judge="other"):
        assert one.judge is not None
        before = network(image()[None]).softmax(1)[0, one.target_id]
        assert one.judge.model.name == "other"
        assert one.judge.probability_before == pytest.approx(float(before), abs=1e-5)
        assert one.judge.reads_target == (one.judge.reads_id == one.target_id)


def test_a_judge_that_reads_it_as_something_else_lowers_the_verdict(models: Path, engine: Engine) -> None:
    favour(models / "other", 2)
    for one in explained(models, engine, targets=("0", "2"), judge="other"):
        assert one.judge is not None
        assert one.judge.reads_id == 2
        assert one.verdict is not None
        levels = {reason.about: reason.level for reason in one.verdict.reasons}
        if one.goal_met:
            assert levels["judge"] == ("high" if one.target_id == 2 else "low")


def test_the_twin_is_the_judge_where_it_is_shown_the_same(models: Path, engine: Engine) -> None:
    robust = load_checkpoint(models / "small", "cpu")
    described = type(robust.description)(**{**vars(robust.description), "twin": "other"})
    save_checkpoint(models / "small", robust.network, described)
    assert all(one.judge is not None for one in explained(models, engine))
    assert all(one.judge is None for one in explained(models, engine, second_opinion=False))


def test_a_twin_of_another_input_is_no_judge(tmp_path: Path, engine: Engine) -> None:
    save_pair(tmp_path)
    assert all(one.judge is None for one in explained(tmp_path, engine, default="robust"))
    with pytest.raises(OptionError, match=r"judge plain takes 10 x 6 pixels .* robust takes 8 x 8"):
        explained(tmp_path, engine, default="robust", judge="plain")


@pytest.mark.parametrize(
    ("judge", "error", "sentence"),
    [("small", OptionError, "judge is small, the model itself"), ("none", UnknownModel, "There is no model none")],
)
def test_a_judge_that_cannot_be_is_refused(
    models: Path, engine: Engine, judge: str, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        explained(models, engine, judge=judge)


def test_a_judge_without_the_models_classes_is_refused(models: Path, engine: Engine) -> None:
    other = load_checkpoint(models / "other", "cpu")
    renamed = type(other.description)(**{**vars(other.description), "classes": ("x", "y", "z")})
    save_checkpoint(models / "other", other.network, renamed)
    with pytest.raises(OptionError, match="judge other has no class"):
        explained(models, engine, judge="other")
