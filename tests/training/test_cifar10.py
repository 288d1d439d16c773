"""torchvision's CIFAR-10 folder: pickles, so that none is opened but those of the known checksums."""

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10  # type: ignore[import-untyped]  # torchvision ships no types

from app.errors import DataError
from app.networks.authors import CIFAR10_CLASSES
from app.training.load import load_data

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 3 * 32 * 32), dtype=np.uint8)
BATCHES = [name for name, _ in CIFAR10.train_list + CIFAR10.test_list]


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def write_batches(path: Path) -> Path:
    """Two images a file, in the layout of the published ones but not their content."""
    folder = path / "cifar-10-batches-py"
    folder.mkdir()
    for at, name in enumerate(BATCHES):
        rows = slice(2 * at, 2 * at + 2)
        (folder / name).write_bytes(pickle.dumps({"data": PIXELS[rows], "labels": [at, 9]}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CIFAR10_CLASSES)}))
    return folder


@pytest.fixture
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that torchvision takes for the published one, since it is told these checksums."""
    folder = write_batches(tmp_path)

    def checksum(name: str) -> str:
        return hashlib.md5((folder / name).read_bytes(), usedforsecurity=False).hexdigest()

    sums = [[name, checksum(name)] for name in BATCHES]
    monkeypatch.setattr(CIFAR10, "train_list", sums[:5])
    monkeypatch.setattr(CIFAR10, "test_list", sums[5:])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": checksum("batches.meta")})
    return folder


@pytest.mark.parametrize("above", [False, True])
def test_the_folder_or_the_one_above_it_is_read(known: Path, above: bool) -> None:
    data = load_data(known.parent if above else known)
    assert data.classes == CIFAR10_CLASSES
    assert data.train.images.shape == (10, 3, 32, 32)
    assert np.array_equal(data.train.images.flatten(1), PIXELS[:10])
    assert np.array_equal(data.test.images.flatten(1), PIXELS[10:])
    assert data.train.labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]


def test_another_pickle_is_not_opened(tmp_path: Path) -> None:
    folder = write_batches(tmp_path)
    for name in BATCHES:
        (folder / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(DataError, match="lacks a file of CIFAR-10 or holds one that is not as published"):
        load_data(folder)
    assert not (tmp_path / "sprung").exists()


def test_another_list_of_classes_is_not_opened(known: Path) -> None:
    (known / "batches.meta").write_bytes(pickle.dumps(Trap(known / "sprung")))
    with pytest.raises(DataError, match="not as published"):
        load_data(known)
    assert not (known / "sprung").exists()


def test_a_missing_file_is_an_error(known: Path) -> None:
    (known / "data_batch_3").unlink()
    with pytest.raises(DataError, match="lacks a file of CIFAR-10"):
        load_data(known)
