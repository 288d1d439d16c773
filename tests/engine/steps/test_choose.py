"""The best step there is, and a line in the log where it is not the one that was wanted."""

from pathlib import Path

import pytest
import torch
from structlog.testing import capture_logs
from torch import nn

from app.engine.steps import openvino_graph
from app.engine.steps.check import relative_error
from app.engine.steps.choose import Backend, choose_step
from app.engine.steps.eager import eager
from app.engine.steps.protocol import GradientStep
from tests.engine.steps.networks import CLASSES, SHAPE, between


def chosen(network: nn.Module, *, wanted: Backend = "auto", cache: Path | None = None) -> GradientStep:
    return choose_step(network, SHAPE, CLASSES, threads=1, cache=cache, wanted=wanted, model="small")


def test_on_the_cpu_it_is_openvino_and_ready(tmp_path: Path) -> None:
    with capture_logs() as lines:
        step = chosen(between(), cache=tmp_path)
    assert step.name == "openvino"
    assert [line["event"] for line in lines] == ["step_ready"]
    assert any(tmp_path.iterdir())


def test_torchs_own_is_given_where_it_is_wanted() -> None:
    with capture_logs() as lines:
        assert chosen(between(), wanted="eager").name == "eager"
    assert lines == []


@pytest.mark.parametrize("wanted", ["auto", "openvino"])
def test_an_operator_without_a_rule_falls_back_and_says_so(wanted: Backend) -> None:
    network = between(nn.AdaptiveAvgPool2d(5))
    with capture_logs() as lines:
        step = chosen(network, wanted=wanted)
    assert step.name == "eager"
    (line,) = lines
    assert line["event"] == "step_fallback"
    assert line["model"] == "small"
    assert "adaptive_avg_pool2d_backward" in line["reason"]
    images = torch.rand(2, *SHAPE)
    assert relative_error(step, eager(network), images, 2) == 0


def test_without_openvino_it_falls_back_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openvino_graph, "openvino", None)
    with capture_logs() as lines:
        assert chosen(between()).name == "eager"
    assert "not installed" in lines[0]["reason"]


def test_cuda_without_a_device_falls_back_and_says_so() -> None:
    with capture_logs() as lines:
        assert chosen(between(), wanted="cuda").name == "eager"
    assert "needs a CUDA device" in lines[0]["reason"]


class Attention(nn.Module):
    """Each pixel of (batch, 8, height, width) attends to all others."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = x.flatten(2).transpose(1, 2)
        seen: torch.Tensor = self.attention(pixels, pixels, pixels, need_weights=False)[0]
        return seen.transpose(1, 2).reshape(x.shape)


@pytest.mark.slow
def test_whatever_becomes_of_attention_its_gradient_is_right() -> None:
    network = between(Attention())
    step = chosen(network)
    assert relative_error(step, eager(network), torch.rand(2, *SHAPE), 2) < 1e-4
