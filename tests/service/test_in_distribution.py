"""Whether an upload is the model's business, by a small model that knows smooth pictures of mid-grey for its own."""

import hashlib
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from app.engine.device import Engine, EngineLimits
from app.engine.token import WorkToken
from app.networks.calibration import PERCENTILES, Calibration, DomainCalibration
from app.networks.checkpoint import load_checkpoint, save_checkpoint
from app.networks.domain import Domain
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.options import ExplainOptions, PredictOptions
from tests.service.test_explainer import LIMITS, SIDE, png, save_model


def pixels(data: bytes) -> Tensor:
    return torch.from_numpy(np.array(Image.open(io.BytesIO(data)))).permute(2, 0, 1).float() / 255


NOISE = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tensor]:
    """A folder with a model that is calibrated and one that is not, and the first one's scores of its own images."""
    models = tmp_path_factory.mktemp("models")
    for name in ("calibrated", "plain"):
        save_model(models / name)
    own = torch.stack([pixels(png(SIDE, SIDE, seed)) for seed in range(200)])
    loaded = load_checkpoint(models / "calibrated", "cpu")
    domain = Domain.around(loaded.network, [own[:100]], [own[100:]], usual_share=0.95)
    found = domain.scores(own[100:])
    percentiles = tuple(found.double().quantile(torch.linspace(0, 1, PERCENTILES, dtype=torch.float64)).tolist())
    sha256 = hashlib.sha256(domain.as_file()).hexdigest()
    calibration = Calibration(domain=DomainCalibration(percentiles[95], percentiles, sha256))
    described = replace(loaded.description, calibration=calibration)
    save_checkpoint(models / "calibrated", loaded.network, described, domain=domain)
    return models, found


@pytest.fixture
def explainer(scores: tuple[Path, Tensor]) -> Iterator[Explainer]:
    engine = Engine(EngineLimits(places=2))
    yield Explainer(Catalogue(scores[0], "cpu", "calibrated"), engine, decode_limits=LIMITS, max_rows=3)
    engine.close()


def noise() -> bytes:
    file = io.BytesIO()
    Image.fromarray(NOISE).save(file, "PNG")
    return file.getvalue()


def test_an_image_of_the_models_kind_is_inside_where_its_score_stands(
    explainer: Explainer, scores: tuple[Path, Tensor]
) -> None:
    found, at = scores[1], int((scores[1] - scores[1].median()).abs().argmin())
    known = explainer.predict(png(SIDE, SIDE, 100 + at), PredictOptions(), WorkToken()).in_distribution
    assert known is not None
    assert known.verdict == "inside"
    assert known.score == pytest.approx(float(found[at]), rel=1e-4)
    assert known.percentile == pytest.approx(50, abs=1.5)
    assert "which is usual" in known.sentence


def test_an_image_of_another_kind_is_outside_in_predictions_and_explanations(explainer: Explainer) -> None:
    predicted = explainer.predict(noise(), PredictOptions(), WorkToken()).in_distribution
    explained = explainer.explain(noise(), ExplainOptions(), WorkToken()).in_distribution
    assert predicted is not None
    assert predicted == explained
    assert (predicted.verdict, predicted.percentile) == ("outside", 100)
    assert predicted.sentence.startswith(
        "The image lies farther from what calibrated learned from than all held-out images of its kind: it may be none"
    )


def test_a_model_that_is_not_calibrated_does_not_say(explainer: Explainer) -> None:
    assert explainer.predict(noise(), PredictOptions(model="plain"), WorkToken()).in_distribution is None
    assert explainer.explain(noise(), ExplainOptions(model="plain"), WorkToken()).in_distribution is None
