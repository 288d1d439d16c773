"""The trainer learns, says where it stands, survives being killed, and never saves what is broken."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.adversarial.sizes import rms
from app.errors import DataError, NotFinite, NotWritten, OptionError
from app.networks.build import TorchvisionConfig
from app.networks.resnet import ResNet, freeze
from app.training.attack import attacked, draw_rows
from app.training.data import DataSet
from app.training.recipe import Attack, Recipe
from app.training.train import Progress, learning_rate, train
from tests.training.toy import NETWORK, RECIPE, toy_data, toy_images, weights


class Killed(Exception):
    """Raised from inside a run, as a kill would end it."""


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Sums in another order would differ in the last bit, and several threads gain nothing on images this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def whole(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted."""
    del one_thread
    run = tmp_path_factory.mktemp("whole")
    train(RECIPE, toy_data(), run)
    return run


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(values, b[name]) for name, values in a.items())


def kill_at(step: int) -> Any:
    def report(progress: Progress) -> None:
        if progress.step == step:
            raise Killed

    return report


def test_learns_a_separable_problem(tmp_path: Path) -> None:
    network = train(RECIPE, toy_data(), tmp_path).network
    test = toy_data().test
    assert float((network(test.floats(slice(None))).argmax(1) == test.labels).float().mean()) > 0.9
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_calibrated_network_is_the_other_divided_by_the_temperature_said(tmp_path: Path) -> None:
    short = replace(RECIPE, epochs=0.5)
    plain = train(short, toy_data(), tmp_path / "plain")
    calibrated = train(replace(short, calibrate=True), toy_data(), tmp_path / "calibrated")
    assert plain.temperature is None
    assert calibrated.temperature is not None
    images = toy_data().test.floats(slice(None))
    torch.testing.assert_close(calibrated.temperature * calibrated.network(images), plain.network(images))


def test_reports_every_step_and_logs_every_epoch(tmp_path: Path) -> None:
    seen: list[Progress] = []
    train(RECIPE, toy_data(), tmp_path, report=seen.append)
    assert [progress.step for progress in seen] == list(range(1, 25))
    assert {progress.steps for progress in seen} == {24}  # 2 epochs of 192 // 16 batches
    assert all(0 <= progress.accuracy <= 1 and progress.psi >= 1 for progress in seen)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [12, 24]
    assert all("held_out_accuracy_rms_0.03" in line for line in lines)


@pytest.mark.parametrize("killed_at", [5, 17])
def test_killed_and_resumed_equals_uninterrupted_to_the_bit(whole: Path, tmp_path: Path, killed_at: int) -> None:
    with pytest.raises(Killed):
        train(RECIPE, toy_data(), tmp_path, save_every_seconds=0, report=kill_at(killed_at))
    assert int(weights(tmp_path)["step"]) == killed_at - 1

    resumed = train(RECIPE, toy_data(), tmp_path, resume=True).network

    assert same(weights(whole), weights(tmp_path))
    average = {f"average.{name}": values for name, values in resumed.state_dict().items()}
    assert same(average, {name: values for name, values in weights(whole).items() if name in average})


@pytest.mark.slow
def test_a_real_kill_costs_nothing_that_was_saved(whole: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-m", "tests.training.toy", str(killed)])
    give_up = time.monotonic() + 120
    while not (killed / "state.pt").exists() and time.monotonic() < give_up:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it was killed"
    assert int(weights(killed)["step"]) < 24

    train(RECIPE, toy_data(), killed, resume=True)

    assert same(weights(whole), weights(killed))


def test_a_seed_says_everything(whole: Path, tmp_path: Path) -> None:
    train(RECIPE, toy_data(), tmp_path / "same")
    train(replace(RECIPE, seed=2), toy_data(), tmp_path / "other")
    assert same(weights(whole), weights(tmp_path / "same"))
    assert not same(weights(whole), weights(tmp_path / "other"))


def test_there_must_be_something_to_resume_from(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="start without --resume"):
        train(RECIPE, toy_data(), tmp_path, resume=True)


def test_a_loss_of_nan_is_an_error_and_the_state_is_the_last_good_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_classifier(progress: Progress) -> None:
        if progress.step == 17:
            broken.append(True)

    broken: list[bool] = []
    whole = ResNet.forward

    def forward(self: ResNet, images: Tensor) -> Tensor:
        logits = whole(self, images)
        return logits * torch.nan if broken and self.training else logits

    monkeypatch.setattr(ResNet, "forward", forward)
    with pytest.raises(NotFinite, match=r"The loss is nan .* at step 17; .*state\.pt holds the last good state"):
        train(RECIPE, toy_data(), tmp_path, report=break_classifier)
    state = weights(tmp_path)
    assert int(state["step"]) == 12
    assert all(values.isfinite().all() for values in state.values())


def test_a_weight_of_nan_is_never_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = 12
    optimizer_step = torch.optim.SGD.step
    made: list[int] = []

    def step(self: torch.optim.SGD, closure: None = None) -> None:
        made.append(1)
        if len(made) == 2 * steps:  # the last step of the second epoch, whose state would be saved at once
            self.param_groups[0]["params"][0].grad.fill_(torch.inf)
        optimizer_step(self, closure)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    with pytest.raises(NotFinite, match="A weight is not finite at step 23"):
        train(replace(RECIPE, muon=None), toy_data(), tmp_path)
    state = weights(tmp_path)
    assert int(state["step"]) == steps
    assert all(values.isfinite().all() for values in state.values())


def test_a_full_disk_leaves_the_state_before(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Killed):
        train(RECIPE, toy_data(), tmp_path, save_every_seconds=0, report=kill_at(6))
    before = weights(tmp_path)
    (tmp_path / "state.tmp").symlink_to("/dev/full")  # takes no byte: what a full disk is to a program
    with pytest.raises(NotWritten, match=r"No space left on device.*state\.pt holds the last state .* with --resume"):
        train(RECIPE, toy_data(), tmp_path, resume=True)
    assert same(before, weights(tmp_path))

    train(RECIPE, toy_data(), tmp_path, resume=True)  # there is room again
    assert same(weights(whole), weights(tmp_path))


@pytest.mark.parametrize(
    ("recipe", "data", "sentence"),
    [
        (replace(RECIPE, batch_size=200), toy_data(), "192 images to learn from are less than one batch of 200"),
        (
            replace(RECIPE, network=replace(NETWORK, classes=1)),
            toy_data(),
            "1 channels and 2 classes, and the recipe's network takes 1 and 1",
        ),
        (
            replace(RECIPE, network=replace(NETWORK, channels=3, mean=(0.5,) * 3, std=(0.25,) * 3)),
            toy_data(),
            "1 channels and 2 classes, and the recipe's network takes 3 and 2",
        ),
    ],
)
def test_images_that_do_not_fit_the_recipe_are_refused_at_once(
    tmp_path: Path, recipe: Recipe, data: DataSet, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        train(recipe, data, tmp_path)


def test_networks_with_auxiliary_heads_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="inception_v3 answers with more than logits"):
        train(replace(RECIPE, network=TorchvisionConfig("inception_v3")), toy_data(), tmp_path)


def test_a_batch_that_cannot_be_parted_evenly_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"A batch of 16, and the 8 images of it .* cannot be parted evenly in 16"):
        train(replace(RECIPE, accumulate=16), toy_data(), tmp_path)


def test_a_run_is_not_overwritten(whole: Path) -> None:
    with pytest.raises(DataError, match="holds the state of a run: go on with --resume, or begin in another folder"):
        train(RECIPE, toy_data(), whole)


def test_the_papers_schedule() -> None:
    recipe = Recipe(NETWORK, learning_rate=0.1)
    at = {step: learning_rate(recipe, step, 200) for step in (0, 169, 170, 194, 195, 199)}
    assert at == pytest.approx({0: 0.1, 169: 0.1, 170: 0.01, 194: 0.01, 195: 0.001, 199: 0.001})


def test_the_trapezoid() -> None:
    recipe = Recipe(NETWORK, learning_rate=2.0, schedule="trapezoid", warmup_steps=4, cooldown=0.5)
    at = {step: learning_rate(recipe, step, 100) for step in (0, 1, 3, 4, 50, 75, 99)}
    assert at == pytest.approx({0: 0.5, 1: 1.0, 3: 2.0, 4: 2.0, 50: 2.0, 75: 1.0, 99: 0.04})


def network_and_images() -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(0)
    network = freeze(ResNet(NETWORK))
    images = toy_images(32)
    return network, images.floats(slice(None)), images.labels


def attack(options: Attack) -> tuple[Tensor, Tensor]:
    """The images' changes, and their sizes."""
    network, images, label = network_and_images()
    rows = draw_rows(label, options, torch.Generator().manual_seed(1))
    change = attacked(network, network, images, rows, options) - images
    return change, rms(change)


@pytest.mark.parametrize("goal", ["size", "flip"])
def test_a_share_of_zero_leaves_every_image_as_it_was(goal: Any) -> None:
    change, _ = attack(Attack(goal=goal, size_rms=0.1, steps=3, share=0))
    assert not change.any()


def test_a_share_of_one_reaches_the_size_asked_for_and_not_beyond() -> None:
    _, size = attack(Attack(size_rms=0.05, steps=3, share=1))
    assert size.tolist() == pytest.approx([0.05] * 32, rel=0.5)
    assert float(size.max()) <= 0.05 * (1 + 1e-5)


def test_half_half_attacks_about_half() -> None:
    _, size = attack(Attack(size_rms=0.05, steps=2, share=0.5))
    assert 8 <= int((size > 0).sum()) <= 24


def test_random_sizes_are_spread_up_to_the_size_given() -> None:
    _, size = attack(Attack(size_rms=0.05, steps=2, share=1, random_size=True))
    assert float(size.max()) <= 0.05 * (1 + 1e-5)
    assert float(size.max()) > 0.04
    assert float(size.min()) < 0.01
