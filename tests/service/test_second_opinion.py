"""What a model's plain twin makes of the same image, on two small real networks of different inputs."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.engine.device import Engine, EngineLimits
from app.engine.telemetry import PlaceLeft
from app.engine.token import WorkToken
from app.errors import NotFinite
from app.networks.checkpoint import load_checkpoint, save_checkpoint
from app.networks.description import InputDescription
from app.networks.resnet import ResNet
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.options import ExplainOptions, PredictOptions
from app.service.results.facts import SecondOpinion
from tests.engine.listening import Heard
from tests.service.test_explainer import LIMITS, png, save_model


def save_pair(models: Path) -> None:
    """`robust` takes 8x8 pixels and names `plain`, which takes 6x10 and has weights of its own."""
    save_model(models / "plain", seed=5)
    plain = load_checkpoint(models / "plain", "cpu")
    described = replace(plain.description, input=InputDescription(6, 10, 3, "letterbox"))
    save_checkpoint(models / "plain", plain.network, described)
    save_model(models / "robust")
    robust = load_checkpoint(models / "robust", "cpu")
    save_checkpoint(models / "robust", robust.network, replace(robust.description, twin="plain"))


def favour(folder: Path, class_id: int) -> None:
    """Let a model read everything as one class."""
    checkpoint = load_checkpoint(folder, "cpu")
    checkpoint.network.get_parameter("classifier.bias")[class_id] += 100
    save_checkpoint(folder, checkpoint.network, checkpoint.description)


class Pair:
    """Both served, and what the engine told."""

    def __init__(self, models: Path) -> None:
        self.heard = Heard()
        self.engine = Engine(EngineLimits(places=1), self.heard)
        self.catalogue = Catalogue(models, "cpu", "robust")
        self.explainer = Explainer(self.catalogue, self.engine, decode_limits=LIMITS, max_rows=9)

    def predicted(self, data: bytes, **options: object) -> SecondOpinion | None:
        asked = PredictOptions(top_k=0, **options)  # type: ignore[arg-type]  # names and values are options'
        return self.explainer.predict(data, asked, WorkToken()).second_opinion


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    save_pair(tmp_path)
    made = Pair(tmp_path)
    yield made
    made.engine.close()


def test_the_second_opinion_is_the_twins_own_prediction_at_its_own_size(pair: Pair) -> None:
    data = png(20, 30)
    second, own = pair.predicted(data), pair.explainer.predict(data, PredictOptions("plain", 0), WorkToken())
    assert second is not None
    assert (second.model, second.model.name, second.model.width) == (own.model, "plain", 10)
    assert [one.class_id for one in second.prediction.top] == [one.class_id for one in own.prediction.top]
    assert [one.probability for one in second.prediction.top] == pytest.approx(
        [one.probability for one in own.prediction.top], abs=1e-6
    )
    assert own.second_opinion is None  # it names no twin itself


@pytest.mark.parametrize(("theirs", "agree"), [(1, True), (2, False)])
def test_whether_the_two_agree_is_said(tmp_path: Path, theirs: int, agree: bool) -> None:
    save_pair(tmp_path)
    favour(tmp_path / "robust", 1)
    favour(tmp_path / "plain", theirs)
    pair = Pair(tmp_path)
    second = pair.predicted(png(20, 30))
    pair.engine.close()
    assert second is not None
    assert (second.prediction.best.class_id, second.agrees) == (theirs, agree)


def test_an_explanation_has_it_too_and_is_of_the_model_that_was_asked(pair: Pair) -> None:
    data = png(20, 30)
    result = pair.explainer.explain(data, ExplainOptions(top_k=0), WorkToken())
    assert result.second_opinion == pair.predicted(data)
    assert result.model.name == "robust"
    (first, _) = result.explanations
    again = pair.explainer.predict(first.pictures["explained"].png, PredictOptions(top_k=0), WorkToken())
    found = {one.class_id: one.probability for one in again.prediction.top}
    assert found[first.target_id] == pytest.approx(first.probability_after, abs=1e-6)


def test_who_does_not_want_it_does_not_have_it_made(pair: Pair) -> None:
    assert pair.predicted(png(8, 8), second_opinion=False) is None
    assert {model for model, _ in pair.heard.ended_rows} == {"robust"}


def test_a_twin_is_asked_within_the_one_place_of_the_request(pair: Pair) -> None:
    assert pair.predicted(png(8, 8)) is not None
    assert pair.heard.ended_rows == {("robust", "look"): 1, ("plain", "look"): 1}
    assert [event.model.name for event in pair.heard.events if isinstance(event, PlaceLeft)] == ["robust"]


def test_a_twin_that_is_not_served_gives_none(tmp_path: Path) -> None:
    save_model(tmp_path / "robust")
    robust = load_checkpoint(tmp_path / "robust", "cpu")
    save_checkpoint(tmp_path / "robust", robust.network, replace(robust.description, twin="plain"))
    pair = Pair(tmp_path)
    assert pair.predicted(png(8, 8)) is None
    pair.engine.close()


def test_a_twin_that_is_not_finite_says_how_to_do_without(pair: Pair) -> None:
    network = pair.catalogue.get("plain").network
    assert isinstance(network, ResNet)
    network.classifier.bias.fill_(torch.nan)
    with pytest.raises(NotFinite, match="It is the twin's, plain; second_opinion=false does without it"):
        pair.predicted(png(8, 8))
    assert pair.predicted(png(8, 8), second_opinion=False) is None
