"""Listing, showing and importing model folders."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from app.errors import CheckpointError, UnknownModel
from app.networks.checkpoint import load_checkpoint, save_checkpoint
from app.networks.description import ExplanationDefaults
from app.networks.importing import ImportOptions
from app.service.models import describe_model, import_model, list_models, read_classes, show_model
from tests.networks.small import CLASSES, authors_tensors, images, small_description, small_network

OPTIONS = ImportOptions(classes=CLASSES, input_size=8)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    tensors = {name: tensor.contiguous() for name, tensor in authors_tensors(small_network()).items()}
    save_file(tensors, tmp_path / "weights.safetensors")
    return tmp_path / "weights.safetensors"


def test_an_imported_model_can_be_loaded_and_explains_itself(tmp_path: Path, weights: Path) -> None:
    folder = import_model(weights, tmp_path / "models", "theirs", OPTIONS)
    network = small_network()
    assert torch.equal(load_checkpoint(folder, "cpu").network(images(network)), network(images(network)))
    card = (folder / "CARD.md").read_text()
    assert "MIT licence, Copyright (c) 2019 Walt Woods" in card
    assert "Nothing was measured" in card


def test_an_installed_model_is_replaced_by_force_alone(tmp_path: Path, weights: Path) -> None:
    save_checkpoint(tmp_path / "theirs", small_network(seed=1), small_description())
    with pytest.raises(CheckpointError, match="is there already; choose another --name, or replace it with --force"):
        import_model(weights, tmp_path, "theirs", OPTIONS)
    import_model(weights, tmp_path, "theirs", OPTIONS, force=True)
    network = small_network()
    assert torch.equal(load_checkpoint(tmp_path / "theirs", "cpu").network(images(network)), network(images(network)))
    assert "MIT" in (tmp_path / "theirs" / "CARD.md").read_text()


@pytest.mark.parametrize("name", ["", "..", "a/b", "A", "ä", "a" * 65])
def test_a_name_that_is_not_safe_is_refused(tmp_path: Path, weights: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="1 to 64 of a-z, 0-9, _ and -"):
        import_model(weights, tmp_path, name, OPTIONS)


def test_models_are_listed_with_what_is_wrong_with_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_checkpoint(tmp_path / name, small_network(), small_description())
    (tmp_path / "b" / "model.json").write_text("{}")
    good, bad = list_models(tmp_path)
    assert (good.name, good.description, good.problem) == ("a", small_description(), None)
    assert (bad.name, bad.description) == ("b", None)
    assert "format_version is missing" in str(bad.problem)


def test_a_model_is_shown_with_its_card(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a", small_network(), small_description())
    (tmp_path / "a" / "CARD.md").write_text("# Mine\n")
    shown = show_model(tmp_path, "a")
    assert (shown.name, shown.card, shown.description) == ("a", "# Mine\n", small_description())
    assert shown.weights_sha256 == load_checkpoint(tmp_path / "a", "cpu").weights_sha256


def test_showing_an_unknown_model_lists_what_is_there(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a", small_network(), small_description())
    with pytest.raises(UnknownModel, match=r"There is no model b in .*; there are: a"):
        show_model(tmp_path, "b")


def test_class_names_are_read_one_a_line(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes("cat\r\ntabby, tabby cat\nÄffchen\n".encode())
    assert read_classes(tmp_path / "classes.txt") == ("cat", "tabby, tabby cat", "Äffchen")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"cat\n\ndog\n", "line 2 is no class name"),
        (b"cat\ndog \n", "line 2 is no class name"),
        (b"\xff\xd8\xff", "cannot be read as text"),
    ],
)
def test_a_file_that_lists_no_classes_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "classes.txt").write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        read_classes(tmp_path / "classes.txt")


def test_what_is_described_stands_in_the_card_and_the_rest_stays(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a", small_network(), replace(small_description(), source="From a test."))
    picture = tmp_path / "sheet.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    describe_model(tmp_path, "a", intended_use="Tests.", pictures={"explanations": picture})
    describe_model(tmp_path, "a", known_failures="All but tests.", rho=0.05)
    shown = show_model(tmp_path, "a")
    assert (shown.description.source, shown.description.intended_use) == ("From a test.", "Tests.")
    assert "## Intended use\n\nTests." in shown.card
    assert "## Known failures\n\nAll but tests." in shown.card
    assert shown.description.explanation == ExplanationDefaults(rho=0.05, scale=small_description().explanation.scale)
    assert "](explanations.png)" in shown.card
    assert (tmp_path / "a" / "explanations.png").read_bytes() == picture.read_bytes()


def test_a_twin_is_described_in_the_card_and_stays(tmp_path: Path) -> None:
    for name in ("a", "plain"):
        save_checkpoint(tmp_path / name, small_network(), small_description())
    describe_model(tmp_path, "a", twin="plain")
    describe_model(tmp_path, "a", intended_use="Tests.")
    shown = show_model(tmp_path, "a")
    assert shown.description.twin == "plain"
    assert "## Second opinion\n\nIts plain twin, `plain`, trained without attacks, reads each image too" in shown.card


def test_what_cannot_be_a_twin_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "a", small_network(), small_description())
    classes = ("dog", "cat", "a class, with a comma")
    save_checkpoint(tmp_path / "b", small_network(), replace(small_description(), classes=classes))
    for twin, error, said in (
        ("a", CheckpointError, "a cannot be its own twin"),
        ("b", CheckpointError, "b has other classes than a; a twin has the same, in the same order"),
        ("c", UnknownModel, "There is no model c in .*; there are: a, b"),
    ):
        with pytest.raises(error, match=said):
            describe_model(tmp_path, "a", twin=twin)
    assert show_model(tmp_path, "a").description.twin is None


@pytest.mark.parametrize(
    ("kind", "content", "says"),
    [
        ("mine", b"\x89PNG\r\n", "A card has no picture 'mine'; it may have explanations, accuracy"),
        ("accuracy", b"GIF89a", "must be a PNG of at most 2 MiB"),
        ("accuracy", None, "cannot be read: No such file"),
    ],
)
def test_other_pictures_are_refused(tmp_path: Path, kind: str, content: bytes | None, says: str) -> None:
    save_checkpoint(tmp_path / "a", small_network(), small_description())
    if content is not None:
        (tmp_path / "p.png").write_bytes(content)
    with pytest.raises(CheckpointError, match=says):
        describe_model(tmp_path, "a", pictures={kind: tmp_path / "p.png"})
