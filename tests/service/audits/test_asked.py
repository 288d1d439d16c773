"""Attacks on explanations through the engine: what they come to, where they are made, and which models they are of."""

import io
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.comparison.agreement import agreement
from app.comparison.methods import METHODS
from app.engine.device import Engine, EngineLimits
from app.engine.token import WorkToken
from app.errors import OptionError, UnknownModel
from app.images.decode import DecodeLimits
from app.networks.checkpoint import load_checkpoint, save_checkpoint
from app.networks.description import ExplanationDefaults, InputDescription, ModelDescription
from app.networks.resnet import ResNet, ResNetConfig
from app.service.audits.asked import audit_image
from app.service.audits.attacks import audit_model
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.options import AuditOptions
from app.service.results.audit import AuditResult
from app.service.results.facts import DrawnPicture

CONFIG = ResNetConfig(classes=3, widths=(4, 8), blocks=(1, 1))
LIMITS = DecodeLimits(max_bytes=1 << 20, max_pixels=1 << 20, max_seconds=5)
SIDE = 12
QUICK = AuditOptions(methods=("adversarial", "gradcam", "gradient"), size_rms=0.05, steps=8)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """`robust` names `plain` its twin; `small` is of another size."""
    for seed, (name, twin, side) in enumerate(
        [("robust", "plain", SIDE), ("plain", None, SIDE), ("small", None, SIDE - 2)]
    ):
        torch.manual_seed(seed)
        network = ResNet(CONFIG)
        torch.nn.init.normal_(network.classifier.weight, std=2)
        described = ModelDescription(
            architecture=CONFIG,
            classes=("cat", "dog", "ship"),
            input=InputDescription(side, side, 3, "stretch"),
            explanation=ExplanationDefaults(rho=0.1, scale=0.3),
            training=None,
            scores={},
            twin=twin,
        )
        save_checkpoint(tmp_path / name, network, described)
    return tmp_path


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(EngineLimits(places=1))
    yield engine
    engine.close()


@pytest.fixture
def explainer(models: Path, engine: Engine) -> Explainer:
    return Explainer(Catalogue(models, "cpu", "robust"), engine, decode_limits=LIMITS, max_rows=3)


def image(side: int = SIDE) -> Tensor:
    return torch.randint(0, 256, (3, side, side), generator=torch.Generator().manual_seed(4)) / 255


def audit(explainer: Explainer, **options: object) -> AuditResult:
    file = io.BytesIO()
    Image.fromarray((image().permute(1, 2, 0) * 255).round().byte().numpy()).save(file, "PNG")
    return explainer.audit(file.getvalue(), AuditOptions(**options), WorkToken())  # type: ignore[arg-type]  # of many types


def floats(drawn: DrawnPicture) -> Tensor:
    pixels: NDArray[np.uint8] = np.array(Image.open(io.BytesIO(drawn.png)).convert("RGB"))
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def test_through_the_engine_an_attack_comes_to_what_it_comes_to_on_the_network_itself(
    models: Path, engine: Engine
) -> None:
    served = Catalogue(models, "cpu", "robust").served()
    with engine.place(served.model) as place:
        found = list(audit_image(place, served.checkpoint, image(), QUICK, WorkToken()))
    expected = list(
        audit_model(served.checkpoint, image()[None], QUICK.methods, QUICK.attack, lambda method, goal, done: None)
    )
    assert [(one.method, one.goal) for one in found] == [(one.method, one.goal) for one in expected]
    assert any(one.audit.found for one in expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.equal(mine.audit.pictures, theirs.audit.pictures)
        torch.testing.assert_close(mine.audit.map_after, theirs.audit.map_after, rtol=1e-3, atol=1e-5)
        torch.testing.assert_close(mine.audit.spearman, theirs.audit.spearman, rtol=0, atol=1e-3)


def test_all_of_it_is_computed_on_the_devices_thread(models: Path, engine: Engine) -> None:
    served, threads = Catalogue(models, "cpu", "robust").served(), set()
    served.checkpoint.network.register_forward_hook(lambda *_: threads.add(threading.current_thread().name))
    with engine.place(served.model) as place:
        list(audit_image(place, served.checkpoint, image(), QUICK, WorkToken()))
    assert threads == {"device"}  # what is made around its weights has its hooks


def test_each_figure_is_that_of_the_pictures_sent(explainer: Explainer, models: Path) -> None:
    result = audit(explainer, methods=("gradient",), size_rms=0.05, steps=8)
    assert [one.model.name for one in result.models] == ["robust", "plain"]
    for one in result.models:
        network = load_checkpoint(models / one.model.name, "cpu").network
        moved = one.audits[0]
        before, after = floats(one.image), floats(moved.pictures["changed"])
        labels = [network(shown).argmax(1) for shown in (before, after)]
        maps = [
            METHODS["gradient"](network, shown, label).map for shown, label in zip((before, after), labels, strict=True)
        ]
        agrees = agreement(*maps)
        assert torch.equal(before[0], image())
        assert (moved.goal, moved.found, moved.class_after) == ("move", True, moved.class_before)
        assert [int(label) for label in labels] == [moved.class_before_id, moved.class_after_id]
        assert moved.perturbation_rms == pytest.approx(float((after - before).square().mean().sqrt()), abs=1e-6)
        assert 0 < (moved.perturbation_rms or 0) <= 0.05
        assert moved.perturbation_l2 == pytest.approx(float((after - before).norm()), abs=1e-5)
        assert moved.rank_correlation == pytest.approx(float(agrees.spearman), abs=1e-3)
        assert moved.ssim == pytest.approx(float(agrees.ssim), abs=1e-3)
        assert moved.center_distance_pixels == pytest.approx(float(agrees.center_distance), abs=1e-3)


def test_what_is_not_found_has_no_figures_and_the_map_before_alone(explainer: Explainer) -> None:
    (one, _) = audit(explainer, methods=("gradcam",), goals=("keep",), size_rms=0.001, steps=1).models
    (attack,) = one.audits
    assert not attack.found
    figures = (attack.rank_correlation, attack.ssim, attack.center_distance_pixels, attack.perturbation_rms)
    assert (*figures, attack.perturbation_l2, attack.class_after, attack.class_after_id) == (None,) * 7
    assert list(attack.pictures) == ["map_before"]


def test_another_model_is_attacked_at_its_own_size_in_the_same_place(explainer: Explainer) -> None:
    result = audit(explainer, model="plain", beside="small", methods=("gradcam",), goals=("move",), steps=2)
    assert [(one.model.name, one.image.width) for one in result.models] == [("plain", SIDE), ("small", SIDE - 2)]


@pytest.mark.parametrize(("model", "second_opinion"), [("plain", True), ("robust", False)])
def test_a_model_without_a_twin_or_whose_twin_is_not_asked_is_attacked_alone(
    explainer: Explainer, model: str, second_opinion: bool
) -> None:
    options = {"methods": ("gradcam",), "goals": ("move",), "steps": 2}
    result = audit(explainer, model=model, second_opinion=second_opinion, **options)
    assert [one.model.name for one in result.models] == [model]
    assert set(result.timing_ms) == {"queued", "decode", "audit", "render"}


def test_the_model_beside_is_another_one_that_is_served(explainer: Explainer) -> None:
    with pytest.raises(OptionError, match="beside is plain, the model itself; name another, or leave it out"):
        audit(explainer, model="plain", beside="plain")
    with pytest.raises(UnknownModel, match="There is no model nobody"):
        audit(explainer, beside="nobody")
