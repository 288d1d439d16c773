"""The step by OpenVINO computes what torch computes, or says that it cannot."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision  # type: ignore[import-untyped]  # it ships no types
from torch import Tensor, nn

from app.adversarial.aims import Aims
from app.adversarial.explain import explain, paper_rows
from app.engine.steps import openvino as openvino_module
from app.engine.steps import openvino_graph
from app.engine.steps.check import relative_error
from app.engine.steps.eager import eager
from app.engine.steps.openvino import openvino_step
from app.engine.steps.protocol import GradientStep, StepNetwork
from app.errors import StepUnavailable
from app.networks.checkpoint import load_checkpoint
from app.networks.importing import ImportedNetwork
from tests.engine.steps.networks import CLASSES, NETWORKS, SHAPE, between, frozen

AIM = 1e-5
MODELS = Path(__file__).parents[3] / "models"


def step_of(network: nn.Module, *, buckets: tuple[int, ...] = (2,), cache: Path | None = None) -> GradientStep:
    return openvino_step(network, SHAPE, CLASSES, threads=1, buckets=buckets, cache=cache)


def images(rows: int, seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> Tensor:
    return torch.rand(rows, *shape, generator=torch.Generator().manual_seed(seed))


def right_once(step: GradientStep, network: nn.Module, shape: tuple[int, int, int]) -> float:
    """Smallest error of a few draws: a ReLU within rounding of its kink falls to either side on some machine."""
    return min(relative_error(step, eager(network), images(2, seed, shape), 2) for seed in range(10, 15))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_operator_with_a_rule_is_right_for_both_drives(name: str) -> None:
    network = NETWORKS[name]()
    assert relative_error(step_of(network), eager(network), images(2), 2) < AIM


def test_the_shipped_network() -> None:
    checkpoint = load_checkpoint(MODELS / "cifar10", "cpu")
    step = openvino_step(checkpoint.network, (3, 32, 32), 10, threads=1, buckets=(2,))
    assert relative_error(step, eager(checkpoint.network), images(2, 1, (3, 32, 32)), 2) < AIM


@pytest.mark.slow
@pytest.mark.parametrize("name", ["resnet44-all", "resnet44-standard"])
def test_the_authors_networks(name: str, authors_network: Callable[[str], ImportedNetwork]) -> None:
    network = authors_network(name).network
    step = openvino_step(network, (3, 32, 32), 10, threads=1, buckets=(2,))
    step.prepare()  # held to torch at 1e-4 here already
    assert right_once(step, network, (3, 32, 32)) < 1e-4


@pytest.mark.slow
def test_a_resnet_of_torchvision_max_pooling_included() -> None:
    torch.manual_seed(0)
    network = frozen(torchvision.models.resnet18(weights=None, num_classes=10))
    step = openvino_step(network, (3, 64, 64), 10, threads=1, buckets=(2,))
    assert right_once(step, network, (3, 64, 64)) < 1e-4


def test_it_explains_in_place_of_its_network() -> None:
    network = NETWORKS["residual, average"]()
    rows = paper_rows(torch.tensor([0, 1, 3]), direction="encourage", steps=8)
    by_step = explain(StepNetwork(step_of(network), CLASSES), images(3), rows)
    expected = explain(network, images(3), rows)
    torch.testing.assert_close(by_step.perturbation, expected.perturbation, rtol=0, atol=1e-4)
    torch.testing.assert_close(by_step.probability_after, expected.probability_after, rtol=1e-3, atol=1e-5)


def test_a_row_does_not_depend_on_its_neighbours() -> None:
    step = step_of(between(nn.BatchNorm2d(8), nn.ReLU()), buckets=(1, 4))
    aims = Aims.alike(torch.tensor([0, 1, 2, 3]), margin=True, classes=CLASSES)
    logits, gradient = step.logits_and_gradient(images(4), aims)
    alone_logits, alone = step.logits_and_gradient(images(4)[1:2], aims[1:2])
    torch.testing.assert_close(alone_logits[0], logits[1], rtol=1e-5, atol=1e-6)
    assert float((alone[0] - gradient[1]).norm() / gradient[1].norm()) < AIM
    broken = images(4)
    broken[0] = torch.nan
    beside_broken = step.logits_and_gradient(broken, aims)[1]
    assert torch.equal(beside_broken[1:], gradient[1:])


def test_no_rows_have_no_answers() -> None:
    step = step_of(between())
    logits, gradient = step.logits_and_gradient(
        images(0), Aims.alike(torch.zeros(0, dtype=torch.int64), margin=False, classes=CLASSES)
    )
    assert logits.shape == (0, CLASSES)
    assert gradient.shape == (0, *SHAPE)


class Branch(nn.Module):
    """Does something else for bright images: no graph can hold that."""

    def forward(self, x: Tensor) -> Tensor:
        return x if bool(x.mean() > 0) else -x


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (nn.AdaptiveAvgPool2d(5), r"No conversion rule found for operations: .*adaptive_avg_pool2d_backward"),
        (nn.AvgPool2d(3, 2, ceil_mode=True), "windows of different sizes"),
        (Branch(), "cannot be traced"),
    ],
)
def test_what_cannot_be_rewritten_is_refused_by_a_sentence(layer: nn.Module, sentence: str) -> None:
    step = openvino_step(between(layer), SHAPE, CLASSES, threads=1)
    with pytest.raises(StepUnavailable, match=sentence):
        step.prepare()


def test_weights_that_are_not_finite_are_refused() -> None:
    network = NETWORKS["half_huber"]()
    network.get_parameter("0.weight")[0, 0, 0, 0] = torch.nan
    with pytest.raises(StepUnavailable, match="off by nan"):
        step_of(network).logits(images(2))


@pytest.mark.parametrize(
    ("network", "sentence"),
    [(between().double(), "float32"), (between().train(), "evaluation mode"), (between().to("meta"), "on the CPU")],
)
def test_networks_of_another_kind_are_refused(network: nn.Module, sentence: str) -> None:
    with pytest.raises(StepUnavailable, match=sentence):
        step_of(network)


def test_without_openvino_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_graph, "openvino", None)
    with pytest.raises(StepUnavailable, match="openvino, which is not installed"):
        step_of(between())


class TestCache:
    """Graphs that an earlier run left."""

    @staticmethod
    def answers(network: nn.Module, folder: Path) -> tuple[Tensor, Tensor]:
        aims = Aims.alike(torch.tensor([0, 1]), margin=False, classes=CLASSES)
        return step_of(network, cache=folder).logits_and_gradient(images(2), aims)

    def test_they_are_used_again_without_tracing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first = self.answers(between(), tmp_path)
        monkeypatch.setattr(openvino_module, "gradient_graph", None)
        again = self.answers(between(), tmp_path)
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1], again[1])

    def test_other_weights_have_their_own(self, tmp_path: Path) -> None:
        other = between()
        other.get_parameter("0.weight").mul_(2)
        self.answers(between(), tmp_path)
        before = set(tmp_path.iterdir())
        _, gradient = self.answers(other, tmp_path)
        assert set(tmp_path.iterdir()) > before
        aims = Aims.alike(torch.tensor([0, 1]), margin=False, classes=CLASSES)
        torch.testing.assert_close(gradient, eager(other).logits_and_gradient(images(2), aims)[1])

    def test_damaged_ones_and_ones_that_compute_something_else_are_made_anew(self, tmp_path: Path) -> None:
        other = between()
        other.get_parameter("0.weight").mul_(2)
        mine, theirs = tmp_path / "mine", tmp_path / "theirs"
        expected = self.answers(between(), mine)
        self.answers(other, theirs)
        for file, foreign in zip(sorted(mine.iterdir()), sorted(theirs.iterdir(), reverse=True), strict=True):
            file.write_bytes(foreign.read_bytes())
        assert torch.equal(self.answers(between(), mine)[1], expected[1])
        for file in mine.iterdir():
            file.write_bytes(b"nothing")
        assert torch.equal(self.answers(between(), mine)[1], expected[1])
