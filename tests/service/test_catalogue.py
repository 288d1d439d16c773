"""The catalogue: what is served, what is set aside, and what is said of the rest."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from app.engine.steps.eager import EagerStep, eager
from app.errors import CheckpointError, UnknownModel
from app.networks.checkpoint import Checkpoint, save_checkpoint
from app.service.catalogue import Catalogue
from tests.networks.small import small_description, small_network


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for seed, name in enumerate(("cifar10", "x-ray_2")):
        save_checkpoint(tmp_path / name, small_network(seed=seed), small_description())
    return tmp_path


def _break(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(b"")


def test_every_model_folder_is_served(models: Path) -> None:
    (models / "notes").mkdir()
    (models / "README.md").write_text("not a model")
    catalogue = Catalogue(models, "cpu", "cifar10")
    assert catalogue.names() == ("cifar10", "x-ray_2")
    assert dict(catalogue.descriptions()) == dict.fromkeys(catalogue.names(), small_description())
    assert not catalogue.broken()


def test_a_name_gets_that_model_and_none_the_default(models: Path) -> None:
    catalogue = Catalogue(models, torch.device("cpu"), "x-ray_2")
    assert catalogue.get("cifar10").name == "cifar10"
    assert catalogue.get().name == catalogue.default == "x-ray_2"


@pytest.mark.parametrize("name", ["imagenet", "CIFAR10", "", "../cifar10", "a" * 1000, "x\ny"])
def test_an_unknown_model_lists_the_known_ones_and_quotes_no_strange_name(models: Path, name: str) -> None:
    with pytest.raises(UnknownModel, match=r"There is no model .*available: cifar10, x-ray_2\.$") as caught:
        Catalogue(models, "cpu", "cifar10").get(name)
    assert (name in str(caught.value)) == (name in {"imagenet", ""})


def test_a_model_is_served_anew_once_reloaded(models: Path) -> None:
    catalogue = Catalogue(models, "cpu", "cifar10")
    before = catalogue.served("cifar10")
    save_checkpoint(models / "cifar10", small_network(seed=7), small_description())
    assert catalogue.served("cifar10") is before
    catalogue.reload("cifar10")
    after = catalogue.served("cifar10")
    assert after.checkpoint.weights_sha256 != before.checkpoint.weights_sha256
    assert after.model != before.model


def test_what_cannot_be_reloaded_is_served_as_before(models: Path) -> None:
    catalogue = Catalogue(models, "cpu", "cifar10")
    before = catalogue.served("cifar10")
    _break(models / "cifar10")
    with pytest.raises(CheckpointError):
        catalogue.reload("cifar10")
    assert catalogue.served("cifar10") is before


def test_a_broken_model_is_set_aside_with_its_reason(models: Path) -> None:
    _break(models / "x-ray_2")
    catalogue = Catalogue(models, "cpu", "cifar10")
    assert catalogue.names() == ("cifar10",)
    assert "SHA-256" in catalogue.broken()["x-ray_2"]
    with pytest.raises(UnknownModel, match=r"Model x-ray_2 is installed but could not be loaded; available: cifar10\."):
        catalogue.get("x-ray_2")


def test_a_broken_default_is_an_error_at_start(models: Path) -> None:
    _break(models / "cifar10")
    with pytest.raises(CheckpointError, match="SHA-256"):
        Catalogue(models, "cpu", "cifar10")


@pytest.mark.parametrize("folder", ["", "nowhere"])
def test_a_missing_default_is_an_error_at_start(tmp_path: Path, folder: str) -> None:
    with pytest.raises(UnknownModel, match="There is no model cifar10; available: none"):
        Catalogue(tmp_path / folder, "cpu", "cifar10")


def test_a_folder_with_an_unsafe_name_is_set_aside(models: Path) -> None:
    (models / "x-ray_2").rename(models / "X ray")
    assert "rename the folder" in Catalogue(models, "cpu", "cifar10").broken()["X ray"]


def test_half_written_folders_are_not_looked_at(models: Path) -> None:
    (models / "x-ray_2").rename(models / ".x-ray_2.1234.new")
    catalogue = Catalogue(models, "cpu", "cifar10")
    assert catalogue.names() == ("cifar10",)
    assert not catalogue.broken()


def test_a_quickened_model_is_the_same_one_with_another_step(models: Path) -> None:
    catalogue = Catalogue(models, "cpu", "cifar10")
    before, step = catalogue.served("cifar10"), eager(small_network(seed=0))
    catalogue.quicken("cifar10", lambda checkpoint: step)
    after = catalogue.served("cifar10")
    assert after.checkpoint is before.checkpoint
    assert after.model.step is step
    assert catalogue.served("x-ray_2").model.step is not step


def test_a_step_of_weights_that_were_replaced_meanwhile_is_let_go(models: Path) -> None:
    catalogue = Catalogue(models, "cpu", "cifar10")
    step = eager(small_network(seed=0))

    def make_step(checkpoint: Checkpoint) -> EagerStep:
        catalogue.reload(checkpoint.name)
        return step

    catalogue.quicken("cifar10", make_step)
    assert catalogue.served("cifar10").model.step is not step


@pytest.mark.parametrize(
    ("twin", "classes", "said"),
    [
        ("x-ray_2", ("cat", "dog", "a class, with a comma"), None),
        ("x-ray_2", ("dog", "cat", "a class, with a comma"), "Its twin x-ray_2 has other classes"),
        ("gone", ("cat", "dog", "a class, with a comma"), "Its twin gone is not served"),
    ],
)
def test_a_twin_gives_a_second_opinion_where_it_is_served_and_has_the_classes(
    models: Path, twin: str, classes: tuple[str, ...], said: str | None
) -> None:
    save_checkpoint(models / "cifar10", small_network(), replace(small_description(), twin=twin))
    save_checkpoint(models / "x-ray_2", small_network(seed=1), replace(small_description(), classes=classes))
    catalogue = Catalogue(models, "cpu", "cifar10")
    assert catalogue.twin() is (catalogue.served("x-ray_2") if said is None else None)
    assert catalogue.twin("x-ray_2") is None
    assert list(catalogue.without_twin()) == ([] if said is None else ["cifar10"])
    assert all(why.startswith(said or "") for why in catalogue.without_twin().values())
