"""Data files: every way one can be wrong has its sentence."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.errors import DataError
from app.networks.authors import CIFAR10_CLASSES
from app.training.data import DataSet, Images
from app.training.load import load_data
from app.training.npz import load_npz


def good_arrays(classes: int = 2, channels: int = 3) -> dict[str, Any]:
    random = np.random.default_rng(0)
    labels = np.arange(2 * classes) % classes
    arrays: dict[str, Any] = {}
    for split in ("train", "test"):
        arrays[f"{split}_images"] = random.integers(0, 256, (2 * classes, 4, 5, channels), dtype=np.uint8)
        arrays[f"{split}_labels"] = labels.astype(np.uint8)
    return arrays


def test_images_come_channels_first_with_their_labels(tmp_path: Path) -> None:
    arrays = good_arrays()
    np.savez(tmp_path / "data.npz", **arrays)
    data = load_npz(tmp_path / "data.npz")
    assert data.train.images.shape == (4, 3, 4, 5)
    assert int(data.train.images[1, 2, 3, 4]) == int(arrays["train_images"][1, 3, 4, 2])
    assert data.test.labels.tolist() == [0, 1, 0, 1]
    assert data.test.labels.dtype == torch.int64
    assert len(data.train) == 4


def test_floats_are_255ths(tmp_path: Path) -> None:
    arrays = good_arrays()
    arrays["train_images"][0, 0, 0, 0] = 255
    arrays["train_images"][1, 0, 0, 0] = 51
    np.savez(tmp_path / "data.npz", **arrays)
    floats = load_npz(tmp_path / "data.npz").train.floats(slice(0, 2))
    assert floats[:, 0, 0, 0].tolist() == pytest.approx([1.0, 0.2])


@pytest.mark.parametrize(
    ("classes", "named", "names"),
    [(2, None, ("0", "1")), (10, None, CIFAR10_CLASSES), (2, ["cat", "dog", "cow"], ("cat", "dog", "cow"))],
)
def test_classes_are_named(tmp_path: Path, classes: int, named: list[str] | None, names: tuple[str, ...]) -> None:
    arrays = good_arrays(classes) | ({} if named is None else {"classes": np.array(named)})
    np.savez(tmp_path / "data.npz", **arrays)
    assert load_npz(tmp_path / "data.npz").classes == names


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"train_images": None}, "has no array 'train_images'; it has test_images, test_labels, train_labels"),
        ({"test_labels": None}, "has no array 'test_labels'"),
        ({"train_images": np.zeros((4, 4, 5, 3))}, r"train_images of .* is float64 \(4, 4, 5, 3\); it must be uint8"),
        ({"train_images": np.zeros((4, 4, 5), np.uint8)}, r"is uint8 \(4, 4, 5\); it must be"),
        ({"train_images": np.zeros((4, 4, 5, 2), np.uint8)}, r"must be uint8 \(n, height, width, 1 or 3\)"),
        ({"test_images": np.zeros((0, 4, 5, 3), np.uint8)}, "with nothing of size 0"),
        ({"test_images": np.zeros((4, 0, 5, 3), np.uint8)}, "with nothing of size 0"),
        ({"train_labels": np.zeros(3, np.int64)}, r"4 train_images and labels of shape \(3,\): one for each"),
        ({"train_labels": np.zeros((4, 1), np.int64)}, r"labels of shape \(4, 1\)"),
        ({"train_labels": np.zeros(4)}, "train_labels of .* must be whole numbers from 0 up"),
        ({"test_labels": np.array([0, 1, -1, 0])}, "test_labels of .* must be whole numbers from 0 up"),
        ({"train_labels": np.array([0, 1, 2**63, 0], np.uint64)}, "train_labels of .* go up to 9223372036854775808"),
        ({"classes": np.array(["cat", "cat"])}, "has two classes of one name; classes need different names"),
        ({"classes": np.array(["cat", ""])}, "has a class called ''; classes need different names"),
        ({"classes": np.array(["cat"])}, "has a label 1, but names 1 classes: labels run from 0"),
        ({"classes": np.array("cat")}, "has a label 1, but names 1 classes"),
        ({"classes": np.array([object(), object()])}, "not a whole npz file of plain arrays"),
        (
            {"test_images": np.zeros((4, 4, 5, 1), np.uint8)},
            r"train_images of .* are \(4, 5, 3\) and test_images \(4, 5, 1\): both need one height",
        ),
    ],
)
def test_a_wrong_array_is_named(tmp_path: Path, wrong: dict[str, Any], sentence: str) -> None:
    arrays = {name: values for name, values in (good_arrays() | wrong).items() if values is not None}
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(DataError, match=sentence):
        load_npz(tmp_path / "data.npz")


def cut_short(path: Path) -> None:
    np.savez(path, **good_arrays())
    path.write_bytes(path.read_bytes()[:-100])


def damaged(path: Path) -> None:
    np.savez(path, **good_arrays())
    content = bytearray(path.read_bytes())
    content[200:210] = bytes(b ^ 255 for b in content[200:210])
    path.write_bytes(content)


def zip_of_something_else(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name in good_arrays():
            file.writestr(name, "no array")


def bare_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


@pytest.mark.parametrize(
    "write",
    [
        cut_short,
        damaged,
        bare_array,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_text("text"),
        Path.mkdir,
    ],
)
def test_a_file_that_is_no_npz_is_refused(tmp_path: Path, write: Callable[[Path], object]) -> None:
    write(tmp_path / "data.npz")
    with pytest.raises(DataError, match=r"is not a whole npz file of plain arrays, as numpy\.savez writes one"):
        load_npz(tmp_path / "data.npz")


def test_a_zip_of_something_else_is_refused(tmp_path: Path) -> None:
    zip_of_something_else(tmp_path / "data.npz")
    with pytest.raises(DataError, match="must be uint8"):
        load_npz(tmp_path / "data.npz")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"data\.npz does not exist; give an npz with train_images"):
        load_npz(tmp_path / "data.npz")


def test_arrays_are_made_into_the_shape_asked_for(tmp_path: Path) -> None:
    arrays = good_arrays(channels=1)
    np.savez(tmp_path / "data.npz", **arrays)
    data = load_data(tmp_path / "data.npz", height=2, width=5, channels=3)
    mean_of_two_rows = arrays["train_images"][0, :2, :, 0].mean(axis=0)
    assert data.train.images.shape == (4, 3, 2, 5)
    for channel in range(3):
        assert np.abs(data.train.images[0, channel, 0].numpy() - mean_of_two_rows).max() <= 0.5001
    assert data.notes == ("Arrays of 4 x 5 pixels and 1 channels were made into 2 x 5 and 3 (stretch).",)


def test_arrays_of_the_shape_asked_for_stay_as_they_are(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", **good_arrays())
    data = load_data(tmp_path / "data.npz", height=4, width=5, channels=3)
    assert torch.equal(data.train.images, load_npz(tmp_path / "data.npz").train.images)
    assert data.notes == ()


def named(classes: tuple[str, ...]) -> DataSet:
    images = Images(torch.zeros(len(classes), 1, 2, 2, dtype=torch.uint8), torch.arange(len(classes)))
    return DataSet(images, images, classes)


@pytest.mark.parametrize(
    ("classes", "labels"),
    [
        (("cat", "dog"), [0, 1]),
        (("dog", "cat"), [1, 0]),
        (("cow", "cat"), [2, 0]),
        (("0", "1"), [0, 1]),
    ],
)
def test_labels_count_a_networks_classes(classes: tuple[str, ...], labels: list[int]) -> None:
    data = named(classes).labelled_as(("cat", "dog", "cow"))
    assert data.test.labels.tolist() == data.train.labels.tolist() == labels
    assert data.classes == ("cat", "dog", "cow")


def test_a_class_that_a_network_does_not_know_is_named() -> None:
    with pytest.raises(DataError, match="the class horse, which is not one of the network's: cat, dog"):
        named(("cat", "horse")).labelled_as(("cat", "dog"))
