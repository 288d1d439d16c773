"""Counterfactuals: the picture that is sent is read as another class, and hardly larger than the nearest one."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.adversarial.nearest import nearest_flip, nearest_of_class
from app.engine.device import Engine, EngineLimits
from app.engine.token import WorkToken
from app.errors import DeadlineExceeded
from app.networks.checkpoint import load_checkpoint
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.options import ExplainOptions, PredictOptions
from app.service.results.explanation import ExplainResult
from tests.engine.small import LateToken
from tests.service.test_explainer import LIMITS, SIDE, png, save_model

CLASSES = ("cat", "dog", "ship")


@pytest.fixture
def explainer(tmp_path: Path) -> Iterator[Explainer]:
    for fit in ("stretch", "letterbox", "center_crop"):
        save_model(tmp_path / fit, fit=fit)
    engine = Engine(EngineLimits(places=1))
    yield Explainer(Catalogue(tmp_path, "cpu", "stretch"), engine, decode_limits=LIMITS, max_rows=3)
    engine.close()


def counterfactuals(explainer: Explainer, data: bytes, **options: object) -> ExplainResult:
    asked = ExplainOptions(method="counterfactual", targets=("all",), **options)  # type: ignore[arg-type]  # options' own
    return explainer.explain(data, asked, WorkToken())


@pytest.mark.parametrize(
    ("model", "height", "width"),
    [("letterbox", 37, 21), ("center_crop", 24, 32), ("stretch", 5, 6)],
)
def test_the_picture_sent_is_read_as_it_is_said_to_be(
    explainer: Explainer, model: str, height: int, width: int
) -> None:
    result = counterfactuals(explainer, png(height, width), model=model)
    predicted = result.prediction.best.name
    assert {one.target for one in result.explanations} == set(CLASSES)
    for one in result.explanations:
        sent = one.pictures["explained"].png
        read = explainer.predict(sent, PredictOptions(model=model), WorkToken()).prediction.best.name
        flips = one.target == predicted
        assert one.direction == ("discourage" if flips else "encourage")
        assert one.goal_met == (read != predicted if flips else read == one.target)
        assert one.changed_class_to == (None if read == predicted else read)
        assert one.goal_met == one.converged or min(height, width) < SIDE  # what is smaller cannot hold every change


def test_it_is_hardly_larger_than_the_nearest_image(explainer: Explainer, tmp_path: Path) -> None:
    data = png(SIDE, SIDE)
    network = load_checkpoint(tmp_path / "stretch", "cpu").network
    image = torch.tensor(list(Image.open(io.BytesIO(data)).tobytes())).view(1, SIDE, SIDE, 3).permute(0, 3, 1, 2) / 255
    label = network(image).argmax(1)
    result = counterfactuals(explainer, data)
    for one in result.explanations:
        search = nearest_flip if one.target_id == int(label) else nearest_of_class
        nearest = float(search(network, image, torch.tensor([one.target_id])).perturbation_rms)
        assert one.goal_met
        assert one.rho == pytest.approx(nearest, rel=0.06)  # a step of 5% is the largest that such pictures need
        assert one.perturbation_rms == pytest.approx(one.rho, abs=1.5 / 255)
    by_role = {one.role: one for one in result.explanations}
    flip = by_role["predicted"]
    named = [one for one in result.explanations if one.target == flip.changed_class_to]
    assert flip.rho == pytest.approx(named[0].rho, rel=0.06)  # that class is the nearest of all
    assert flip.rho <= 1.06 * min(one.rho for one in result.explanations)


def test_a_letterboxs_bars_are_left_alone(explainer: Explainer) -> None:
    result = counterfactuals(explainer, png(4 * SIDE, SIDE), model="letterbox", include=("arrays",))
    with np.load(io.BytesIO(result.arrays_npz or b""), allow_pickle=False) as arrays:
        change = arrays["perturbation"]
    assert not change[:, :, : SIDE // 8 * 3].any()
    assert change[:, :, SIDE // 8 * 3 : -(SIDE // 8 * 3)].any()


def test_what_it_took_is_said(explainer: Explainer) -> None:
    for one in counterfactuals(explainer, png(SIDE, SIDE)).explanations:
        cost = one.methods["adversarial"]
        assert 60 < cost.gradient_evaluations == one.steps < 200
        assert cost.forward_passes > 2


def test_where_no_change_flips_the_picture_stays_and_says_so(explainer: Explainer) -> None:
    network = explainer._catalogue.get().network
    network.get_submodule("classifier").get_parameter("weight").mul_(0)
    for one in counterfactuals(explainer, png(SIDE, SIDE)).explanations:
        assert (one.converged, one.goal_met, one.changed_class_to) == (False, False, None)
        assert (one.rho, one.perturbation_rms) == pytest.approx((0, 0), abs=1e-6)


@pytest.mark.parametrize("partial", [False, True])
def test_the_deadline(explainer: Explainer, monkeypatch: pytest.MonkeyPatch, *, partial: bool) -> None:
    token = LateToken()
    token.be_late_in(9, explainer._catalogue.served().model, monkeypatch)
    options = ExplainOptions(method="counterfactual", partial=partial)
    if not partial:
        with pytest.raises(DeadlineExceeded):
            explainer.explain(png(SIDE, SIDE), options, token)
        return
    for one in explainer.explain(png(SIDE, SIDE), options, token).explanations:
        assert (one.cut_short, one.converged, one.goal_met) == (True, False, False)
        assert one.perturbation_rms == pytest.approx(0, abs=1e-6)


def test_other_methods_beside_it_point_the_same_way(explainer: Explainer) -> None:
    result = counterfactuals(explainer, png(SIDE, SIDE), methods=("gradient",))
    for one in result.explanations:
        assert one.agreement is not None
        assert (one.agreement.rank_correlation[0][1] or 0) > 0
