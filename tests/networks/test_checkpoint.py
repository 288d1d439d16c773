"""Model folders: round trip, and every way in which one can be at fault."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from app.errors import CheckpointError, ChecksumMismatch
from app.networks import checkpoint as module
from app.networks.build import TorchvisionConfig, build_network
from app.networks.calibration import PERCENTILES, Calibration, DomainCalibration
from app.networks.checkpoint import load_checkpoint, read_description, save_checkpoint
from app.networks.description import ExplanationDefaults, InputDescription, ModelDescription
from app.networks.domain import Domain
from app.networks.resnet import ResNetConfig
from tests.networks.small import images, small_description, small_network

GREY = ResNetConfig(classes=3, channels=1, widths=(4,), blocks=(1,), activation="silu", mean=(0.5,), std=(0.25,))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(tmp_path / "small", small_network(), small_description())
    return tmp_path / "small"


def _edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    file = folder / "model.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def _replace_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "weights.safetensors")
    change(tensors)
    save_file(tensors, folder / "weights.safetensors")
    sha256 = hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    _edit(folder, lambda content: content.update(weights_sha256=sha256))


def test_the_same_network_and_description_come_back(folder: Path) -> None:
    network = small_network()
    loaded = load_checkpoint(folder, "cpu")
    assert loaded.description == small_description()
    assert torch.equal(loaded.network(images(network)), network(images(network)))


def test_a_loaded_network_is_frozen_in_evaluation_mode(folder: Path) -> None:
    network = load_checkpoint(folder, "cpu").network
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_the_checkpoint_says_which_weights_these_are(folder: Path) -> None:
    loaded = load_checkpoint(folder, "cpu")
    assert loaded.weights_sha256 == hashlib.sha256((folder / "weights.safetensors").read_bytes()).hexdigest()
    assert (loaded.name, loaded.device) == ("small", torch.device("cpu"))


def test_a_grey_network_comes_back(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "grey", small_network(GREY), small_description(GREY))
    assert load_checkpoint(tmp_path / "grey", "cpu").description.architecture == GREY


def test_a_torchvision_network_comes_back(tmp_path: Path) -> None:
    description = ModelDescription(
        architecture=TorchvisionConfig("squeezenet1_1", mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)),
        classes=("a", "b"),
        input=InputDescription(48, 48, 1, "center_crop"),
        explanation=ExplanationDefaults(rho=0.1, scale=0.2),
        training=None,
        scores={},
    )
    save_checkpoint(tmp_path / "m", build_network(description.architecture, 2), description)
    loaded = load_checkpoint(tmp_path / "m", "cpu")
    assert loaded.description == description
    assert loaded.network(torch.rand(2, 1, 48, 48)).shape == (2, 2)


# --- the weights


def test_weights_with_one_bit_flipped_are_refused_before_they_are_parsed(folder: Path) -> None:
    file = folder / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ChecksumMismatch, match="SHA-256"):
        load_checkpoint(folder, "cpu")


def test_weights_that_are_no_safetensors_are_refused(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(b"nonsense")
    sha256 = hashlib.sha256(b"nonsense").hexdigest()
    _edit(folder, lambda content: content.update(weights_sha256=sha256))
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_checkpoint(folder, "cpu")


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"{name} cannot be read: No such file"):
        load_checkpoint(folder, "cpu")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors: tensors.pop("stem.weight"), "lacks stem.weight"),
        (lambda tensors: tensors.update(extra=torch.zeros(1)), "has extra, which the network does not"),
        (lambda tensors: tensors.update({"norm.bias": torch.zeros(7)}), r"norm.bias of shape \(7,\) .* is \(8,\)"),
        (lambda tensors: tensors.update({"norm.bias": torch.zeros(8).double()}), "norm.bias of type torch.float64"),
        (lambda tensors: tensors["norm.bias"].fill_(torch.nan), "numbers in norm.bias that are not finite"),
    ],
)
def test_weights_that_do_not_fit_exactly_are_refused(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], object], said: str
) -> None:
    _replace_weights(folder, change)
    with pytest.raises(CheckpointError, match=said):
        load_checkpoint(folder, "cpu")


def test_a_description_of_a_giant_is_refused_without_building_it(folder: Path) -> None:
    _edit(folder, lambda content: content["architecture"]["config"].update(widths=[8192] * 8, blocks=[2] * 8))
    with pytest.raises(CheckpointError, match="does not fit its network"):
        load_checkpoint(folder, "cpu")


def test_an_input_that_the_network_cannot_take_is_refused(folder: Path) -> None:
    _edit(folder, lambda content: content["architecture"]["config"].update(stem_pool=16))
    with pytest.raises(CheckpointError, match="fails on an image of 8x10 pixels"):
        load_checkpoint(folder, "cpu")


def test_a_description_that_could_not_be_read_is_not_saved(tmp_path: Path) -> None:
    wrong = replace(small_description(), scores={"accuracy": float("nan")})
    with pytest.raises(CheckpointError, match="NaN is not a finite number"):
        save_checkpoint(tmp_path / "m", small_network(), wrong)
    assert not list(tmp_path.iterdir())


def test_saving_again_replaces_the_model_and_keeps_its_pictures(folder: Path) -> None:
    (folder / "accuracy.png").write_bytes(b"a picture")
    other = small_network(seed=1)
    save_checkpoint(folder, other, small_description())
    assert torch.equal(load_checkpoint(folder, "cpu").network(images(other)), other(images(other)))
    assert (folder / "accuracy.png").read_bytes() == b"a picture"
    assert "](accuracy.png)" in (folder / "CARD.md").read_text()
    assert [file.name for file in folder.parent.iterdir()] == ["small"]


def test_weights_that_overflow_are_refused(folder: Path) -> None:
    _replace_weights(folder, lambda tensors: tensors["classifier.weight"].fill_(3e38))
    with pytest.raises(CheckpointError, match=r"they must be finite and of shape \(1, 3\)"):
        load_checkpoint(folder, "cpu")


def test_a_giant_model_json_is_not_read(folder: Path) -> None:
    with (folder / "model.json").open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(CheckpointError, match="larger than"):
        read_description(folder)


def test_a_save_that_breaks_off_leaves_the_old_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def disk_full(file: Path, content: bytes) -> None:
        file.write_bytes(content[: len(content) // 2])
        raise OSError("disk full")

    monkeypatch.setattr(module, "_write", disk_full)
    with pytest.raises(OSError, match="disk full"):
        save_checkpoint(folder, small_network(seed=1), small_description())
    network = small_network()
    assert torch.equal(load_checkpoint(folder, "cpu").network(images(network)), network(images(network)))
    assert [file.name for file in folder.parent.iterdir()] == ["small"]


def test_a_replacement_that_breaks_off_puts_the_old_model_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def refuse_the_new(source: Path, target: Path) -> Path:
        if source.name.endswith(".new"):
            raise OSError("no such luck")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", refuse_the_new)
    with pytest.raises(OSError, match="no such luck"):
        save_checkpoint(folder, small_network(seed=1), small_description())
    assert [file.name for file in folder.parent.iterdir()] == ["small"]
    load_checkpoint(folder, "cpu")


def test_a_file_is_not_replaced_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("")
    with pytest.raises(CheckpointError, match="is a file; a model is a folder"):
        save_checkpoint(tmp_path / "m", small_network(), small_description())


def test_a_folder_that_is_no_models_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"'thesis.tex' in it, which is no part of a model"):
        save_checkpoint(tmp_path, small_network(), small_description())
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_the_card_says_what_is_known_and_what_is_not(tmp_path: Path) -> None:
    unknown = replace(small_description(), training=None, scores={}, source="")
    save_checkpoint(tmp_path / "m", small_network(), unknown)
    card = (tmp_path / "m" / "CARD.md").read_text()
    assert "8 layers" in card
    assert "cat, dog, a class, with a comma" in card
    assert "Nothing was measured" in card
    assert "Nothing is written down about where it comes from" in card


def calibrated(folder: Path) -> Path:
    """The same model with a domain."""
    loaded = load_checkpoint(folder, "cpu")
    some = [images(loaded.network, 20)]  # type: ignore[arg-type]  # it is a ResNet
    domain = Domain.around(loaded.network, some, some, usual_share=0.9)
    sha256 = hashlib.sha256(domain.as_file()).hexdigest()
    found = DomainCalibration(1.25, tuple(number / 80 for number in range(PERCENTILES)), sha256)
    description = replace(loaded.description, calibration=Calibration(found))
    save_checkpoint(folder, loaded.network, description, domain=domain)
    return folder


def test_a_domain_comes_back_with_its_calibration(folder: Path) -> None:
    loaded = load_checkpoint(calibrated(folder), "cpu")
    assert loaded.description.calibration is not None
    assert loaded.description.calibration.domain is not None
    assert loaded.description.calibration.domain.threshold == 1.25
    assert loaded.domain is not None
    assert loaded.domain.as_file() == (folder / "domain.safetensors").read_bytes()


def test_a_calibration_without_its_domain_is_not_written(folder: Path) -> None:
    loaded = load_checkpoint(calibrated(folder), "cpu")
    with pytest.raises(CheckpointError, match="calibrated to a domain that is not given"):
        save_checkpoint(folder, loaded.network, loaded.description)


def test_another_domain_than_the_one_calibrated_to_is_refused(folder: Path) -> None:
    (calibrated(folder) / "domain.safetensors").write_bytes(b"other")
    with pytest.raises(ChecksumMismatch, match=r"domain\.safetensors"):
        load_checkpoint(folder, "cpu")


def test_a_domain_that_does_not_fit_its_network_is_refused(folder: Path) -> None:
    (calibrated(folder) / "domain.safetensors").write_bytes(b"other")
    sha256 = hashlib.sha256(b"other").hexdigest()
    _edit(folder, lambda content: content["calibration"]["domain"].update(sha256=sha256))
    with pytest.raises(CheckpointError, match=r"domain\.safetensors does not fit its network"):
        load_checkpoint(folder, "cpu")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"threshold": 0}, "calibration.domain.threshold is 0; it must be a number above 0"),
        ({"percentiles": [1.0]}, "calibration.domain.percentiles"),
        ({"percentiles": [2.0, *[1.0] * 100]}, "it must be rising numbers"),
        ({"sha256": "x"}, "64 hexadecimal digits"),
        ({"more": 1}, "calibration.domain.more is not a field"),
    ],
)
def test_a_wrong_calibration_is_named(folder: Path, wrong: dict[str, object], sentence: str) -> None:
    _edit(calibrated(folder), lambda content: content["calibration"]["domain"].update(wrong))
    with pytest.raises(CheckpointError, match=sentence):
        read_description(folder)
