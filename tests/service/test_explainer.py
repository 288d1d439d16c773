"""The whole way of an image, on a small real network."""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from app.engine.device import Engine, EngineLimits
from app.engine.token import WorkToken
from app.errors import Cancelled, DeadlineExceeded, EngineFull, NotAnImage, NotFinite, OptionError, UnknownModel
from app.images.decode import DecodeLimits
from app.networks.checkpoint import load_checkpoint, save_checkpoint
from app.networks.description import ExplanationDefaults, InputDescription, ModelDescription
from app.networks.resnet import ResNet, ResNetConfig
from app.service.catalogue import Catalogue
from app.service.explainer import Explainer
from app.service.kept import KeptResults
from app.service.options import ExplainOptions, Method, PredictOptions
from app.service.progress import Mailbox, Started, TargetProgress, TargetsChosen
from app.service.results.explanation import ExplainResult, Record
from tests.engine.small import LateToken
from tests.reference import follow_below, plain_cross_entropy, plain_loop

SIDE = 8
CONFIG = ResNetConfig(classes=3, widths=(8, 8), blocks=(1, 1))
LIMITS = DecodeLimits(max_bytes=1 << 20, max_pixels=1 << 20, max_seconds=5)


def save_model(folder: Path, *, fit: str = "stretch", seed: int = 3) -> None:
    """A network with random weights, its logits spread so that explanations have somewhere to go."""
    torch.manual_seed(seed)
    network = ResNet(CONFIG)
    torch.nn.init.normal_(network.classifier.weight, std=2)
    description = ModelDescription(
        architecture=CONFIG,
        classes=("cat", "dog", "ship"),
        input=InputDescription(SIDE, SIDE, 3, fit),  # type: ignore[arg-type]  # the parameter is one of three
        explanation=ExplanationDefaults(rho=0.1, scale=0.3),
        training=None,
        scores={},
    )
    save_checkpoint(folder, network, description)


@pytest.fixture
def explainer(tmp_path: Path) -> Iterator[Explainer]:
    for name in ("stretch", "letterbox", "center_crop"):
        save_model(tmp_path / name, fit=name)
    engine = Engine(EngineLimits(places=2))
    yield Explainer(Catalogue(tmp_path, "cpu", "stretch"), engine, decode_limits=LIMITS, max_rows=3)
    engine.close()


def png(height: int, width: int, seed: int = 0) -> bytes:
    """A smooth random picture away from black and white, where clamping takes nothing away."""
    noise = np.random.default_rng(seed).uniform(90, 165, (4, 4, 3)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC).save(file, "PNG")
    return file.getvalue()


def explain(explainer: Explainer, data: bytes, **options: object) -> ExplainResult:
    return explainer.explain(data, ExplainOptions(**options), WorkToken())  # type: ignore[arg-type]


def changes(npz: bytes) -> NDArray[np.float32]:
    with np.load(io.BytesIO(npz), allow_pickle=False) as arrays:
        return np.asarray(arrays["perturbation"])


def pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_a_prediction_is_the_networks_own_softmax(explainer: Explainer, tmp_path: Path) -> None:
    data = png(SIDE, SIDE)
    image = torch.from_numpy(pixels(data).copy()).permute(2, 0, 1)[None].float() / 255
    expected = load_checkpoint(tmp_path / "stretch", "cpu").network(image).softmax(1)[0]
    top = explainer.predict(data, PredictOptions(top_k=0), WorkToken()).prediction.top
    assert [entry.probability for entry in top] == pytest.approx(expected.sort(descending=True).values.tolist())


@pytest.mark.parametrize("model", ["stretch", "letterbox", "center_crop"])
@pytest.mark.parametrize(("height", "width"), [(SIDE, SIDE), (3 * SIDE, 3 * SIDE), (37, 21), (5, 6)])
def test_the_explained_picture_uploaded_again_gets_the_probability_reported(
    explainer: Explainer, model: str, height: int, width: int
) -> None:
    for one in explain(explainer, png(height, width), model=model, targets=("all",)).explanations:
        again = explainer.predict(one.pictures["explained"].png, PredictOptions(model=model, top_k=0), WorkToken())
        by_class = {entry.class_id: entry.probability for entry in again.prediction.top}
        assert by_class[one.target_id] == pytest.approx(one.probability_after, abs=1e-6)


@pytest.mark.parametrize("multiple", [1, 4])
def test_the_size_reported_is_rho_but_for_rounding_at_whole_multiples(explainer: Explainer, multiple: int) -> None:
    for one in explain(explainer, png(multiple * SIDE, multiple * SIDE), rho=0.05).explanations:
        assert one.perturbation_rms == pytest.approx(0.05, rel=0.06)
        assert one.perturbation_l2 == pytest.approx(one.perturbation_rms * (3 * SIDE * SIDE) ** 0.5, rel=1e-5)
        assert one.converged


def test_encouraged_rises_and_discouraged_falls(explainer: Explainer) -> None:
    up = explain(explainer, png(SIDE, SIDE), targets=("all",), direction="encourage")
    down = explain(explainer, png(SIDE, SIDE), targets=("all",), direction="discourage")
    assert all(one.probability_after > one.probability_before and one.goal_met for one in up.explanations)
    assert all(one.probability_after < one.probability_before and one.goal_met for one in down.explanations)


def test_too_few_steps_to_settle_are_said_not_to_have_converged(explainer: Explainer) -> None:
    (one,) = explain(explainer, png(SIDE, SIDE), targets=("predicted",), method="paper", steps=1).explanations
    assert not one.converged
    assert not one.goal_met


@pytest.mark.parametrize(("method", "steps"), [("fast", 8), ("paper", 35)])
def test_both_methods_reach_the_size_asked_for(explainer: Explainer, method: Method, steps: int) -> None:
    for one in explain(explainer, png(SIDE, SIDE), targets=("all",), method=method, rho=0.05).explanations:
        assert one.method == method
        assert one.converged
        assert one.steps <= steps if method == "fast" else one.steps == steps


def test_other_methods_have_a_heatmap_an_array_and_their_cost_beside(explainer: Explainer) -> None:
    result = explain(
        explainer, png(20, 30), include=("heatmap", "arrays"), targets=("cat", "ship"), methods=("gradient", "gradcam")
    )
    assert result.arrays_npz is not None
    with np.load(io.BytesIO(result.arrays_npz), allow_pickle=False) as arrays:
        assert arrays["map_gradcam"].shape == (2, SIDE, SIDE, 3)
    for one in result.explanations:
        assert list(one.pictures) == ["heatmap", "gradient_heatmap", "gradcam_heatmap"]
        assert {picture.scale for picture in one.pictures.values()} == {0.3}  # one bar serves all
        assert pixels(one.pictures["gradient_heatmap"].png).shape == pixels(one.pictures["heatmap"].png).shape
        assert list(one.methods) == ["adversarial", "gradient", "gradcam"]
        assert one.methods["adversarial"].gradient_evaluations == one.steps
        assert one.agreement is not None
        assert one.agreement.methods == tuple(one.methods)


def test_arrays_are_unclamped_at_the_networks_own_size(explainer: Explainer) -> None:
    result = explain(explainer, png(20, 30), include=("explained", "arrays"), targets=("cat", "ship"))
    assert result.arrays_npz is not None
    with np.load(io.BytesIO(result.arrays_npz), allow_pickle=False) as arrays:
        assert arrays["image"].shape == (SIDE, SIDE, 3)
        assert arrays["perturbation"].shape == (2, SIDE, SIDE, 3)
        np.testing.assert_allclose(arrays["image"] + arrays["perturbation"], arrays["explained"], atol=1e-7)
        assert np.sqrt((arrays["perturbation"] ** 2).mean((1, 2, 3))) == pytest.approx([0.1, 0.1], rel=0.05)


def test_pictures_are_those_asked_for_in_the_uploads_own_size(explainer: Explainer) -> None:
    result = explain(explainer, png(20, 30), include=("explained", "perturbation"), targets=("cat",))
    pictures = result.explanations[0].pictures
    assert list(pictures) == ["explained", "perturbation"]
    assert pixels(pictures["explained"].png).shape == (20, 30, 3)
    assert result.arrays_npz is None


def test_what_a_centre_crop_never_saw_keeps_its_pixels(explainer: Explainer) -> None:
    data = png(20, 30)
    result = explain(explainer, data, model="center_crop", targets=("cat",))
    seen, explained = result.image.seen, pixels(result.explanations[0].pictures["explained"].png)
    assert (seen.left, seen.top, seen.width, seen.height) == (5, 0, 20, 20)
    np.testing.assert_array_equal(explained[:, :5], pixels(data)[:, :5])
    assert (explained[:, 5:25] != pixels(data)[:, 5:25]).any()


def test_more_targets_than_rows_are_refused_before_anything_is_decoded(tmp_path: Path) -> None:
    save_model(tmp_path / "small")
    engine = Engine(EngineLimits(places=1))
    explainer = Explainer(Catalogue(tmp_path, "cpu", "small"), engine, decode_limits=LIMITS, max_rows=2)
    with pytest.raises(OptionError, match="3 explanations; at most 2"):
        explain(explainer, b"no image", targets=("all",))
    engine.close()


def test_what_cannot_be_answered_leaves_its_place_free(explainer: Explainer) -> None:
    cancelled = WorkToken()
    cancelled.cancel()
    for _ in range(3):
        with pytest.raises(NotAnImage):
            explain(explainer, b"no image at all")
        with pytest.raises(UnknownModel):
            explain(explainer, png(8, 8), model="none")
        with pytest.raises(Cancelled):
            explainer.explain(png(8, 8), ExplainOptions(), cancelled)
    assert explain(explainer, png(8, 8)).explanations


class LateCancel(KeptResults):
    """Somebody cancels what has just been kept, before its answer is on its way."""

    explainer: Explainer

    def keep(self, record: Record) -> Record:
        kept = super().keep(record)
        self.explainer.delete(kept.result.id)
        return kept


def test_one_that_is_cancelled_as_it_is_kept_has_no_answer_and_is_not_kept(tmp_path: Path) -> None:
    save_model(tmp_path / "small")
    engine, kept = Engine(EngineLimits(places=1)), LateCancel(max_bytes=10**6, seconds=60)
    kept.explainer = Explainer(Catalogue(tmp_path, "cpu", "small"), engine, decode_limits=LIMITS, max_rows=2, kept=kept)
    with pytest.raises(Cancelled, match="by its id"):
        explain(kept.explainer, png(8, 8))
    assert kept.load().results == 0
    engine.close()


def test_a_full_engine_says_when_to_come_again(tmp_path: Path) -> None:
    save_model(tmp_path / "small")
    engine = Engine(EngineLimits(places=1))
    catalogue = Catalogue(tmp_path, "cpu", "small")
    explainer = Explainer(catalogue, engine, decode_limits=LIMITS, max_rows=2)
    with engine.place(catalogue.served().model), pytest.raises(EngineFull) as raised:
        explain(explainer, png(8, 8))
    assert raised.value.retry_after_seconds >= 1
    engine.close()


def test_weights_are_swapped_under_load_and_every_answer_is_of_one_model(tmp_path: Path) -> None:
    """Four clients ask on while the weights change four times: each answer is whole, and of the model it names."""
    engine, data, options = (
        Engine(EngineLimits(places=5)),
        png(SIDE, SIDE),
        ExplainOptions(steps=4, include=("arrays",)),
    )
    save_model(tmp_path / "m", seed=0)
    catalogue = Catalogue(tmp_path, "cpu", "m")
    explainer = Explainer(catalogue, engine, decode_limits=LIMITS, max_rows=3)
    over = threading.Event()

    def ask() -> list[ExplainResult]:
        answers = []
        while not over.is_set():
            answers.append(explainer.explain(data, options, WorkToken()))
        return answers

    expected: dict[str, ExplainResult] = {}
    with ThreadPoolExecutor(4) as clients:
        asking = [clients.submit(ask) for _ in range(4)]
        try:
            for seed in range(1, 5):
                found = explainer.explain(data, options, WorkToken())
                expected[found.model.weights_sha256] = found
                save_model(tmp_path / "m", seed=seed)
                catalogue.reload("m")
        finally:
            over.set()
        answers = [answer for client in asking for answer in client.result(60)]
    found = explainer.explain(data, options, WorkToken())
    expected[found.model.weights_sha256] = found
    engine.close()
    assert len(expected) == 5
    assert len(answers) >= 4
    for answer in answers:
        right = expected[answer.model.weights_sha256]
        assert answer.prediction.best.probability == pytest.approx(right.prediction.best.probability, abs=1e-5)
        assert answer.arrays_npz is not None
        assert right.arrays_npz is not None
        np.testing.assert_allclose(changes(answer.arrays_npz), changes(right.arrays_npz), atol=1e-4)


def as_image(data: bytes) -> Tensor:
    return torch.from_numpy(pixels(data).copy()).permute(2, 0, 1).float() / 255


def plain_paper(network: nn.Module, image: Tensor, target: int) -> list[Tensor]:
    """The paper's perturbations by the slow loop, from zero to the last of 35 steps, at RMS 0.1."""
    return plain_loop(
        network,
        image,
        score=plain_cross_entropy(target),
        encourage=True,
        size_rms=0.1,
        steps=35,
        overshoot=5.0,
        momentum=0.0,
        follow=follow_below(0.1),
    )


def test_an_explanation_cut_short_is_what_the_paper_has_after_as_many_steps(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, data = LateToken(), png(SIDE, SIDE)
    served = explainer._catalogue.served("stretch")
    token.be_late_in(3, served.model, monkeypatch)
    options = ExplainOptions(targets=("all",), method="paper", partial=True, include=("explained", "arrays"))
    result = explainer.explain(data, options, token)
    assert result.arrays_npz is not None
    for one, change in zip(result.explanations, changes(result.arrays_npz), strict=True):
        assert (one.steps, one.cut_short, one.converged, one.goal_met) == (3, True, False, False)
        seen = plain_paper(served.checkpoint.network, as_image(data), one.target_id)
        np.testing.assert_allclose(change, seen[3].permute(1, 2, 0), atol=1e-5)
        again = explainer.predict(one.pictures["explained"].png, PredictOptions(top_k=0), WorkToken()).prediction.top
        by_class = {entry.class_id: entry.probability for entry in again}
        assert by_class[one.target_id] == pytest.approx(one.probability_after, abs=1e-6)


def test_a_late_explanation_says_how_far_each_target_came(
    explainer: Explainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, data = LateToken(), png(SIDE, SIDE)
    served = explainer._catalogue.served("stretch")
    token.be_late_in(5, served.model, monkeypatch)
    with pytest.raises(DeadlineExceeded) as late:
        explainer.explain(data, ExplainOptions(targets=("all",), method="paper"), token)
    assert [(one.target, one.target_id, one.steps) for one in late.value.reached] == [
        ("cat", 0, 35), ("dog", 1, 35), ("ship", 2, 35),
    ]  # fmt: skip
    network = served.checkpoint.network
    for one in late.value.reached:
        assert one.step in (3, 4)  # the fifth step sees what four have made, but nobody waits for it any more
        shown = as_image(data) + plain_paper(network, as_image(data), one.target_id)[one.step]
        assert one.probability == pytest.approx(float(network(shown[None]).softmax(1)[0, one.target_id]), abs=1e-5)


class LateMailbox(Mailbox):
    """Lets a token be late once targets are chosen, or once all were searched for."""

    def __init__(self, token: LateToken, once: str) -> None:
        super().__init__(read=False)
        self._token, self._once_what = token, once

    def tell(self, news: Started | TargetsChosen) -> None:
        if self._once_what == "chosen" and isinstance(news, TargetsChosen):
            self._token.be_late()

    def put(self, row: int, progress: TargetProgress) -> None:
        del row, progress
        if self._once_what == "searched":
            self._token.be_late()


@pytest.mark.parametrize("scale", [None, "auto"])
def test_a_deadline_before_the_first_step_leaves_the_image_as_it_is(explainer: Explainer, scale: str | None) -> None:
    data, token = png(20, 30), LateToken()
    options = ExplainOptions(targets=("all",), partial=True, scale=scale)  # type: ignore[arg-type]  # of its words
    result = explainer.explain(data, options, token, LateMailbox(token, once="chosen"))
    assert len(result.explanations) == 3
    for one in result.explanations:
        assert (one.steps, one.cut_short, one.converged, one.goal_met) == (0, True, False, False)
        assert one.perturbation_rms == pytest.approx(0, abs=1e-6)
        assert one.changed_class_to is None
        assert one.probability_after == pytest.approx(one.probability_before, abs=1e-6)
        np.testing.assert_array_equal(pixels(one.pictures["explained"].png), pixels(data))
        assert list(one.pictures) == ["heatmap", "perturbation", "explained"]


def test_what_was_found_in_time_is_sent_though_it_is_late_when_drawn(explainer: Explainer) -> None:
    for partial in (True, False):
        token, options = LateToken(), ExplainOptions(partial=partial)
        late = LateMailbox(token, once="searched")
        if partial:
            found = explainer.explain(png(8, 8), options, token, late)
            assert not any(one.cut_short for one in found.explanations)
            assert all(one.converged for one in found.explanations)
        else:
            with pytest.raises(DeadlineExceeded) as raised:
                explainer.explain(png(8, 8), options, token, late)
            assert all(0 < one.step <= one.steps == 8 for one in raised.value.reached)


def test_without_a_prediction_by_the_deadline_there_is_nothing_to_send(explainer: Explainer) -> None:
    with pytest.raises(DeadlineExceeded) as late:
        explainer.explain(png(8, 8), ExplainOptions(partial=True), WorkToken(0.0))
    assert not late.value.reached
    assert "partial" not in str(late.value)  # it would not have helped


def test_a_network_that_is_not_finite_is_an_error_of_its_own(explainer: Explainer) -> None:
    network = explainer._catalogue.get("letterbox").network
    assert isinstance(network, ResNet)
    network.classifier.bias.fill_(torch.nan)
    with pytest.raises(NotFinite):
        explain(explainer, png(8, 8), model="letterbox")
    assert explain(explainer, png(8, 8)).explanations
