"""Others' weights in every file they come in, and files that hold none."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision  # type: ignore[import-untyped]  # it ships no types
from safetensors.torch import save_file

from app.errors import CheckpointError
from app.networks import foreign
from app.networks.build import TorchvisionConfig
from app.networks.importing import ImportOptions, import_network
from app.networks.resnet import freeze
from tests.networks.small import CLASSES, CONFIG, authors_tensors, images, small_network
from tests.networks.torch_files import save_as_authors_did, write_zip

SMALL = ImportOptions(classes=CLASSES)
SQUEEZENET = ImportOptions(arch="squeezenet1_1", classes=("a", "b"), input_size=48)


@pytest.fixture(scope="module")
def authors_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A small network in the authors' layout: as safetensors, and as the two kinds of torch file."""
    folder = tmp_path_factory.mktemp("authors")
    new, old = save_as_authors_did(authors_tensors(small_network()), folder)
    return {"safetensors": folder / "authors.safetensors", "zip": new, "legacy": old}


def _squeezenet() -> torch.nn.Module:
    torch.manual_seed(0)
    return freeze(torchvision.models.squeezenet1_1(weights=None, num_classes=2))


# --- the authors' files


@pytest.mark.parametrize("kind", ["safetensors", "zip", "legacy"])
def test_the_authors_network_gives_the_same_logits_from_each_file(authors_files: dict[str, Path], kind: str) -> None:
    network = small_network()
    imported = import_network(authors_files[kind], SMALL)
    assert imported.description.architecture == CONFIG
    assert torch.equal(imported.network(images(network)), network(images(network)))


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_training_options_and_the_image_side_are_taken_from_the_authors_pickle(
    authors_files: dict[str, Path], kind: str
) -> None:
    description = import_network(authors_files[kind], SMALL).description
    assert description.training is not None
    assert description.training["epochs"] == 200
    assert description.training["arch"] == [20, "__main__.cifar10_preprocess", [1, 2], [4, 8], 3]
    assert (description.input.height, description.input.width) == (20, 20)


def test_an_imported_network_is_frozen_and_says_where_it_comes_from(authors_files: dict[str, Path]) -> None:
    imported = import_network(authors_files["zip"], SMALL)
    assert not imported.network.training
    assert "MIT" in imported.description.source
    assert "Imported from a torch file with the SHA-256" in imported.description.source
    assert not imported.description.scores


def test_three_classes_without_names_are_refused(authors_files: dict[str, Path]) -> None:
    with pytest.raises(CheckpointError, match="a network of 3 classes; name them by --classes"):
        import_network(authors_files["safetensors"], ImportOptions())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ImportOptions(classes=("a", "b")), "classes is .*; it must be a list of 3 names"),
        (ImportOptions(classes=CLASSES, input_size=10**9), "input.height is 1000000000"),
        (ImportOptions(classes=CLASSES, rho=2.0), "explanation.rho is 2.0"),
        (ImportOptions(classes=CLASSES, fit="fill"), "input.fit is"),  # type: ignore[arg-type]  # wrong on purpose
        (ImportOptions(classes=CLASSES, arch="resnet18"), "authors' networks, no resnet18; leave out --arch"),
    ],
)
def test_a_wrong_option_is_named(authors_files: dict[str, Path], options: ImportOptions, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        import_network(authors_files["safetensors"], options)


# --- torchvision's state dicts


@pytest.mark.parametrize(
    "save",
    [
        torch.save,
        lambda state, file: torch.save(state, file, _use_new_zipfile_serialization=False),
        lambda state, file: torch.save({"state_dict": state, "epoch": 3, "optimizer": {"lr": 0.1}}, file),
        lambda state, file: torch.save({f"module.{name}": tensor for name, tensor in state.items()}, file),
        lambda state, file: torch.save({name: tensor.double() for name, tensor in state.items()}, file),
        save_file,
    ],
    ids=["zip", "legacy", "checkpoint", "data parallel", "float64", "safetensors"],
)
def test_a_torchvision_state_dict_gives_torchvisions_logits(
    tmp_path: Path, save: Callable[[Any, Path], object]
) -> None:
    plain = _squeezenet()
    save(plain.state_dict(), tmp_path / "weights")
    imported = import_network(tmp_path / "weights", SQUEEZENET)
    shown = torch.rand(2, 3, 48, 48)
    mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (SQUEEZENET.mean, SQUEEZENET.std))
    assert torch.equal(imported.network(shown), plain((shown - mean) / std))
    assert imported.description.architecture == TorchvisionConfig("squeezenet1_1")
    assert imported.description.input.fit == "center_crop"


def test_batch_counters_that_old_files_lack_are_filled_in(tmp_path: Path) -> None:
    state = torchvision.models.resnet18(weights=None, num_classes=2).state_dict()
    old = {name: tensor for name, tensor in state.items() if "num_batches_tracked" not in name}
    torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    imported = import_network(tmp_path / "old.pth", ImportOptions("resnet18", ("a", "b"), input_size=32))
    assert imported.network.state_dict()["network.bn1.num_batches_tracked"] == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ImportOptions(classes=("a", "b")),
            "a safetensors file with 52 tensors whose names are classifier.1.bias, .* more",
        ),
        (ImportOptions("squeezenet1_1"), "give --arch NAME and --classes FILE"),
        (ImportOptions("resnet51", ("a", "b")), 'architecture.name is "resnet51"'),
        (
            ImportOptions("squeezenet1_0", ("a", "b")),
            "does not fit its network: it lacks network.features.5.*; it has network.features.0.bias of shape",
        ),
        (ImportOptions("squeezenet1_1", ("a", "b", "c")), "classifier.1.bias of shape"),
        (ImportOptions("squeezenet1_1", ("a", "b"), input_size=8), "fails on an image of 8x8 pixels"),
        (ImportOptions("squeezenet1_1", ("a", "b"), channels=2), "input.channels is 2"),
        (ImportOptions("squeezenet1_1", ("a", "b"), std=(1, 1, 0)), "architecture.std is"),
    ],
)
def test_a_torchvision_state_dict_that_is_not_as_said_is_refused(
    tmp_path: Path, options: ImportOptions, said: str
) -> None:
    save_file(_squeezenet().state_dict(), tmp_path / "weights.safetensors")
    with pytest.raises(CheckpointError, match=said):
        import_network(tmp_path / "weights.safetensors", options)


# --- files that hold no network


class _System:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_pickle_that_is_one_call_is_refused_and_not_run(tmp_path: Path, as_zip: bool) -> None:
    file = tmp_path / "evil.pt"
    torch.save(_System(f"touch {tmp_path}/ran"), file, _use_new_zipfile_serialization=as_zip)
    with pytest.raises(CheckpointError, match=r"holds an object made by posix\.system, not a state dict; accepted are"):
        import_network(file, SQUEEZENET)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("as_zip", [True, False])
def test_a_call_beside_the_weights_is_left_out_and_not_run(tmp_path: Path, as_zip: bool) -> None:
    content = {"state_dict": _squeezenet().state_dict(), "hook": _System(f"touch {tmp_path}/ran")}
    torch.save(content, tmp_path / "x.pt", _use_new_zipfile_serialization=as_zip)
    assert import_network(tmp_path / "x.pt", SQUEEZENET).description.training is None
    assert not (tmp_path / "ran").exists()


def test_a_whole_module_is_refused_with_what_would_be_right(tmp_path: Path) -> None:
    torch.save(_squeezenet(), tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match=r"made by torchvision\.models\.squeezenet\.SqueezeNet, not a state dict"):
        import_network(tmp_path / "x.pt", SQUEEZENET)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty; accepted are"),
        (b"\xff\xd8\xff\xe0rest", "is a JPEG image; accepted are"),
        (b"\x89PNG\r\n\x1a\n", "is a PNG image"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "is a WebP image"),
        (b"%PDF-1.7", "is a PDF document"),
        (b'{"weights": 3}', "is text"),
        (b"some words\n", "is text"),
        (b"\x00\x01\x02\x03", "is 4 bytes of no format known here"),
        (b"PK\x05\x06" + bytes(18), "is an empty zip"),
        (b"PK\x03\x04 no more", "is a zip, but a damaged one"),
        (b"\x80\x02]q\x00.", "is a pickle, but not torch's"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00{not a header!} ", "looks like a safetensors file but is damaged"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        import_network(tmp_path / "weights.pt", SQUEEZENET)


def test_a_zip_of_other_things_says_what_it_is(tmp_path: Path) -> None:
    write_zip(tmp_path / "x.zip", {"a.png": b"1", "b.png": b"2", "c.png": b"3"})
    with pytest.raises(CheckpointError, match="a zip of 3 entries without a torch pickle"):
        import_network(tmp_path / "x.zip", SQUEEZENET)


def test_a_torch_file_of_other_things_says_what_it_is(tmp_path: Path) -> None:
    torch.save({"losses": [1.0], "epoch": 3}, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="a dictionary of losses, epoch, where exactly one of model_params"):
        import_network(tmp_path / "x.pt", SQUEEZENET)


@pytest.mark.parametrize("name", ["nothing", "."])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckpointError, match="is not there, or is no plain file"):
        import_network(tmp_path / name, SQUEEZENET)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.pt").open("wb") as file:
        file.truncate(foreign.MAX_IMPORT_BYTES + 1)
    with pytest.raises(CheckpointError, match="at most 4294967296 are read"):
        import_network(tmp_path / "x.pt", SQUEEZENET)


def test_names_out_of_a_file_are_shown_harmless(tmp_path: Path) -> None:
    save_file({"\x1b[2J" + "x" * 500: torch.zeros(1)}, tmp_path / "x.safetensors")
    with pytest.raises(CheckpointError) as caught:
        import_network(tmp_path / "x.safetensors", ImportOptions())
    assert "\\x1b[2Jxxx" in str(caught.value)
    assert "x" * 100 not in str(caught.value)
