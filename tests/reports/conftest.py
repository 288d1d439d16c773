"""One explanation whose names are as awkward as names get, and its report."""

import pytest
import torch

from app.engine.device import Engine, EngineLimits
from app.engine.token import WorkToken
from app.images.decode import DecodeLimits
from app.networks.checkpoint import save_checkpoint
from app.networks.description import ExplanationDefaults, InputDescription, ModelDescription
from app.networks.resnet import ResNet, ResNetConfig
from app.reports.reporter import Reporter
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.options import ExplainOptions
from app.service.results.explanation import Record
from tests.web.serving import picture

MARKUP, GREEK, HAN = '<script>alert("1")</script> & <b>', "Ωmega-Ärzte кот", "猫 kot"
CLASSES = (MARKUP, GREEK, HAN)
FILE_NAME = 'a<i>"\N{RIGHT-TO-LEFT OVERRIDE}\udcff\n&amp;.png'
NOTICE = "Not for <use>, ever & anon."
LIMITS = DecodeLimits(max_bytes=1 << 20, max_pixels=1 << 20, max_seconds=5)


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """All three classes explained by a small network, with its sizes, another method and a contrast of the third."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    config = ResNetConfig(classes=3, widths=(4, 8), blocks=(1, 1))
    network = ResNet(config)
    torch.nn.init.normal_(network.classifier.weight)
    description = ModelDescription(
        architecture=config,
        classes=CLASSES,
        input=InputDescription(8, 8, 3, "center_crop"),
        explanation=ExplanationDefaults(rho=0.1, scale=0.3),
        training=None,
        scores={"accuracy": 0.625, "areas": {"worst_case_ara": {"value": 0.25, "low": 0.125, "high": 0.5}}},
        intended_use="To be <tested>.",
    )
    save_checkpoint(folder / "odd", network, description)
    engine = Engine(EngineLimits(places=1))
    explainer = Explainer(Catalogue(folder, "cpu", "odd"), engine, decode_limits=LIMITS, max_rows=9)
    options = ExplainOptions(
        targets=("all",),
        sweep=2,
        methods=("adversarial", "gradient"),
        margin=True,
        quality=True,
        include=("heatmap", "perturbation", "explained", "film_strip"),
    )
    made = explainer.record(picture(12, 16), options, WorkToken())
    engine.close()
    return made


@pytest.fixture(scope="session")
def reporter() -> Reporter:
    return Reporter(decode_limits=LIMITS, notice=NOTICE)
