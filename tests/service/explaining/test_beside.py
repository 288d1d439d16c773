"""Other methods' maps beside the adversarial explanation: what each is of, turned and scaled, and how all agree."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.adversarial.sizes import rms
from app.comparison.attribution import Attribution, Cost
from app.comparison.methods import METHODS
from app.engine.device import Engine, EngineLimits, Place
from app.engine.model import open_model
from app.engine.steps.eager import eager
from app.engine.token import WorkToken
from app.errors import DeadlineExceeded, OptionError
from app.networks.resnet import ResNet, ResNetConfig
from app.service.explaining.beside import Beside, agreement_of, explain_beside
from app.service.options import ExplainOptions
from app.service.passes import Found, choose, explain_targets
from app.service.results.quality import AgreementTable
from tests.engine.small import LateToken

SHAPE = (3, 16, 16)
CLASSES = ("cat", "dog", "ship")
RHO = 0.1


@dataclass(frozen=True)
class Case:
    """A network inside an engine, and an image to explain."""

    place: Place
    network: nn.Module
    image: Tensor

    def explain(self, token: WorkToken | None = None, **options: object) -> tuple[Found, Beside]:
        asked = ExplainOptions(**options)  # type: ignore[arg-type]  # names and values are options'
        token = token or WorkToken()
        chosen = choose(self.place, self.image, CLASSES, asked, token)
        (found,) = explain_targets(self.place, self.image, chosen, asked, [RHO], token)
        return found, explain_beside(self.place, self.network, self.image, chosen, found, asked, token)


@pytest.fixture
def case() -> Iterator[Case]:
    torch.manual_seed(1)
    network = ResNet(ResNetConfig(classes=3, widths=(8, 8), blocks=(1, 1))).eval().requires_grad_(False)
    image = torch.rand(SHAPE, generator=torch.Generator().manual_seed(2))
    engine = Engine(EngineLimits(places=1, max_step_rows=8))
    with engine.place(open_model(network, eager(network), SHAPE, torch.device("cpu"))) as place:
        yield Case(place, network, image)
    engine.close()


def cosine(one: Tensor, other: Tensor) -> list[float]:
    return torch.nn.functional.cosine_similarity(one.flatten(1), other.flatten(1)).tolist()


@pytest.mark.parametrize("method", METHODS)
def test_each_map_is_the_methods_own_at_the_perturbations_rms(case: Case, method: str) -> None:
    found, beside = case.explain(targets=("0", "2"), methods=(method,))
    own = METHODS[method](case.network, case.image.expand(2, *SHAPE), torch.tensor([0, 2]))
    assert cosine(beside.maps[method], own.map.expand(2, *SHAPE)) == pytest.approx([1, 1], abs=1e-5)
    torch.testing.assert_close(rms(beside.maps[method]), rms(found.explanation.perturbation))
    assert beside.costs == {method: own.cost}


def test_with_partial_the_methods_done_by_the_deadline_are_kept(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    token, occlusion = LateToken(), METHODS["occlusion"]

    def late_occlusion(network: nn.Module, images: Tensor, target: Tensor) -> Attribution:
        token.be_late()
        return occlusion(network, images, target)

    monkeypatch.setitem(METHODS, "occlusion", late_occlusion)
    methods = ("gradient", "occlusion", "gradcam")
    found, beside = case.explain(token, targets=("0", "2"), methods=methods, partial=True)
    assert list(beside.maps) == list(beside.costs) == ["gradient"]
    assert not any(found.cut_short)
    token = LateToken()
    with pytest.raises(DeadlineExceeded):
        case.explain(token, targets=("0", "2"), methods=methods)


def test_less_of_a_class_turns_the_maps_round(case: Case) -> None:
    _, more = case.explain(targets=("1",), methods=("gradient", "gradcam"))
    _, less = case.explain(targets=("1",), methods=("gradient", "gradcam"), direction="discourage")
    for name, maps in more.maps.items():
        assert cosine(maps, less.maps[name]) == pytest.approx([-1], abs=1e-5)


def test_a_contrast_is_the_gradient_of_the_margin_at_twice_the_cost(case: Case) -> None:
    _, beside = case.explain(targets=("0",), against="2", methods=("gradient",))
    leaf = case.image[None].clone().requires_grad_()
    logits = case.network(leaf)[0]
    (logits[0] - logits[2]).backward()
    assert leaf.grad is not None
    assert cosine(beside.maps["gradient"], leaf.grad) == pytest.approx([1], abs=1e-5)
    assert beside.costs["gradient"] == Cost(gradient_evaluations=2)


def test_a_map_that_is_nowhere_anything_stays_so(case: Case) -> None:
    nn.init.zeros_(case.network.get_parameter("classifier.weight"))
    found, beside = case.explain(targets=("0",), methods=("gradient",))
    assert not beside.maps["gradient"].any()
    (table,) = agreement_of(found.explanation.perturbation, beside)
    assert table.rank_correlation[0][1] is None


def test_agreement_is_that_of_each_pair_whichever_comes_first() -> None:
    up = torch.linspace(-1, 1, 768).view(1, *SHAPE)
    tables = agreement_of(torch.cat([up, up]), Beside({"gradient": torch.cat([2 * up, -up])}, {}))
    same = AgreementTable(("adversarial", "gradient"), ((1.0, 1.0), (1.0, 1.0)), ((1.0, 1.0), (1.0, 1.0)))
    for got, wanted in ((tables[0].rank_correlation, same.rank_correlation), (tables[0].ssim, same.ssim)):
        np.testing.assert_allclose(np.array(got, float), np.array(wanted, float), atol=1e-6)
    assert tables[1].rank_correlation[0][1] == pytest.approx(-1)
    assert tables[1].rank_correlation[0][1] == tables[1].rank_correlation[1][0]


def test_a_network_without_a_feature_map_has_no_grad_cam(case: Case) -> None:
    flat = nn.Sequential(nn.Flatten(), nn.Linear(768, 3)).eval().requires_grad_(False)
    with pytest.raises(OptionError, match="last feature map"):
        Case(case.place, flat, case.image).explain(methods=("gradcam",))
