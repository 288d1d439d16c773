"""The margin and the certificate of one image, through the service, against the network itself."""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from app.adversarial.robustness import robustness
from app.adversarial.smoothing import Smoothing, certify
from app.engine.device import Engine, EngineLimits
from app.engine.token import WorkToken
from app.errors import DeadlineExceeded, OptionError
from app.networks.checkpoint import load_checkpoint
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.options import ExplainOptions, MarginOptions
from tests.engine.small import LateToken
from tests.service.test_explainer import LIMITS, SIDE, png, save_model

DATA = png(SIDE, SIDE)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(tmp_path / "small")
    return tmp_path


@pytest.fixture
def explainer(folder: Path) -> Iterator[Explainer]:
    engine = Engine(EngineLimits(places=1))
    yield Explainer(Catalogue(folder, "cpu", "small"), engine, decode_limits=LIMITS, max_rows=3)
    engine.close()


def image() -> Tensor:
    pixels = torch.frombuffer(bytearray(Image.open(io.BytesIO(DATA)).tobytes()), dtype=torch.uint8)
    return pixels.view(SIDE, SIDE, 3).permute(2, 0, 1).float() / 255


def test_it_is_what_the_search_finds_of_the_network(explainer: Explainer, folder: Path) -> None:
    network = load_checkpoint(folder / "small", "cpu").network
    label = network(image()[None]).argmax(1)
    found = explainer.margin(DATA, MarginOptions(restarts=1, seed=4), WorkToken())
    expected = robustness(network, image()[None], label, restarts=1, random=torch.Generator().manual_seed(4))
    for change, nearest in ((found.margin.flip, expected.flip), (found.margin.chance, expected.chance)):
        assert change.perturbation_rms == pytest.approx(float(nearest.perturbation_rms), rel=1e-4)
        assert change.perturbation_l2 == pytest.approx(float(nearest.perturbation_l2), rel=1e-4)
        assert change.changed_class_id == int(nearest.logits.argmax(1))
    assert found.margin.flip.changed_class_id != found.prediction.best.class_id
    assert (found.margin.chance.probability_after or 1) <= found.margin.chance_probability == 1 / 3
    assert found.margin.gradient_evaluations > 0
    assert set(found.timing_ms) == {"queued", "decode", "margin"}
    assert found.certificate is None


def test_the_certificate_is_that_of_the_network_with_the_same_noise(explainer: Explainer, folder: Path) -> None:
    network = load_checkpoint(folder / "small", "cpu").network
    options = MarginOptions(certificate=True, sigma=0.02, draws=300, alpha=0.01, seed=7)
    made = explainer.margin(DATA, options, WorkToken()).certificate
    expected = certify(
        network, image(), Smoothing(0.02, 300, 0.01), random=torch.Generator().manual_seed(7), rows_at_once=32
    )
    assert made is not None
    assert made.radius_l2 is not None
    assert made.radius_l2 == expected.radius_l2
    assert made.radius_rms == pytest.approx(made.radius_l2 / (3 * SIDE * SIDE) ** 0.5)
    assert "of the smoothed classifier" in made.says


def test_a_certificate_that_abstains_says_so(explainer: Explainer) -> None:
    made = explainer.margin(DATA, MarginOptions(certificate=True, draws=1), WorkToken()).certificate
    assert made is not None  # one draw proves no more than alpha
    assert (made.abstains, made.radius_l2, made.radius_rms) == (True, None, None)
    assert made.says.startswith("It abstains")


def test_a_model_with_measures_says_where_the_image_stands(folder: Path) -> None:
    file = folder / "small" / "model.json"
    description = json.loads(file.read_text())
    description["scores"]["margins"] = {
        "images": 50, "flip_rms_quantiles": [0.0, 0.0, 9.0], "chance_rms_quantiles": [0.0] * 3,
    }  # fmt: skip
    file.write_text(json.dumps(description))
    engine = Engine(EngineLimits(places=1))
    margin = (
        Explainer(Catalogue(folder, "cpu", "small"), engine, decode_limits=LIMITS, max_rows=3)
        .margin(DATA, MarginOptions(), WorkToken())
        .margin
    )
    engine.close()
    assert margin.test_images == 50
    assert margin.flip.percentile == pytest.approx(50 + 50 * (margin.flip.perturbation_rms or 0) / 9)
    assert margin.chance.percentile == 100
    assert "Of 50 test images, 5" in margin.says


def test_a_model_without_measures_says_that_and_not_where(explainer: Explainer) -> None:
    margin = explainer.margin(DATA, MarginOptions(), WorkToken()).margin
    assert (margin.test_images, margin.flip.percentile, margin.chance.percentile) == (None, None, None)
    assert "aex evaluate --only margins --record" in margin.says


def test_what_is_never_flipped_is_said_as_such(folder: Path) -> None:
    network = load_checkpoint(folder / "small", "cpu").network
    network.get_submodule("classifier").get_parameter("weight").mul_(0)
    engine = Engine(EngineLimits(places=1))
    catalogue = Catalogue(folder, "cpu", "small")
    catalogue.get().network.load_state_dict(network.state_dict())
    margin = (
        Explainer(catalogue, engine, decode_limits=LIMITS, max_rows=3).margin(DATA, MarginOptions(), WorkToken()).margin
    )
    engine.close()
    assert not margin.flip.found
    assert (margin.flip.perturbation_rms, margin.flip.changed_class_to) == (None, None)
    assert margin.says.startswith("Not flipped by any change tried, up to RMS")


def test_an_explanation_has_the_same_margin_where_it_is_asked_for(explainer: Explainer) -> None:
    explained = explainer.explain(DATA, ExplainOptions(steps=2, margin=True), WorkToken())
    assert explained.margin == explainer.margin(DATA, MarginOptions(), WorkToken()).margin
    assert explainer.explain(DATA, ExplainOptions(steps=2), WorkToken()).margin is None


def test_the_deadline_ends_a_search_within_a_pass(explainer: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    token = LateToken()
    token.be_late_in(5, explainer._catalogue.served().model, monkeypatch)
    with pytest.raises(DeadlineExceeded):
        explainer.margin(DATA, MarginOptions(restarts=20), token)


def test_with_partial_a_margin_that_was_late_is_left_out(explainer: Explainer, monkeypatch: pytest.MonkeyPatch) -> None:
    token = LateToken()
    token.be_late_in(9, explainer._catalogue.served().model, monkeypatch)  # the explanation takes two
    explained = explainer.explain(DATA, ExplainOptions(steps=2, margin=True, partial=True), token)
    assert explained.margin is None
    assert not any(one.cut_short for one in explained.explanations)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"restarts": 21}, "restarts is 21; it must be a number of searches, from 0 to 20."),
        ({"draws": 0}, "draws is 0; it must be a number of noisy images, from 1 to 100000."),
        ({"sigma": 0.0}, "sigma is 0; it is a pixel level above 0 and at most 10."),
        ({"alpha": 1.0}, "alpha is 1; it is a share of certificates, above 0 and below 1."),
    ],
)
def test_an_option_out_of_range_is_refused(options: dict[str, float], sentence: str) -> None:
    with pytest.raises(OptionError) as caught:
        replace(MarginOptions(), **options)  # type: ignore[arg-type]  # names and values are options'
    assert str(caught.value) == sentence
