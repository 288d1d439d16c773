"""What is told of the data, against counts made by hand."""

from pathlib import Path

import pytest
import torch

from app.training.data import DataSet, Images
from app.training.load import load_data
from app.training.report import class_weights, mean_and_std, report, without_leaks
from tests.images.files import encoded
from tests.training.image_files import cats_and_dogs, picture, write_folder


def data_set(train: list[int], test: list[int], labels: list[int] | None = None) -> DataSet:
    """Flat images of these levels, all of class 0 unless said."""

    def split(levels: list[int], of: list[int] | None = None) -> Images:
        pixels = torch.tensor(levels, dtype=torch.uint8)[:, None, None, None].expand(-1, 1, 2, 2).contiguous()
        return Images(pixels, torch.tensor(of or [0] * len(levels)))

    return DataSet(split(train, labels), split(test), ("cat", "dog"))


def test_classes_are_counted_in_each_split() -> None:
    found = report(data_set([1, 2, 3], [4, 5], labels=[1, 0, 1]))
    assert (found.train_counts, found.test_counts) == ((1, 2), (2, 0))
    assert (found.height, found.width, found.channels) == (2, 2, 1)


def test_copies_are_told_by_name(tmp_path: Path) -> None:
    files = cats_and_dogs()
    files["train/dog/again.png"] = files["train/cat/0.png"]
    files["test/dog/leak.png"] = files["train/cat/1.png"]
    files["test/cat/twin.png"] = files["test/cat/2.png"]
    found = report(load_data(write_folder(tmp_path, files)))
    assert found.across == (("train/cat/1.png", "test/dog/leak.png"),)
    assert [set(names) for names in found.within_train] == [{"train/cat/0.png", "train/dog/again.png"}]
    assert [set(names) for names in found.within_test] == [{"test/cat/2.png", "test/cat/twin.png"}]


def test_the_same_pixels_in_another_format_are_a_copy(tmp_path: Path) -> None:
    files = cats_and_dogs(grey=True)
    files["test/cat/other.tiff"] = encoded(picture(0, grey=True), "TIFF")
    assert len(report(load_data(write_folder(tmp_path, files))).across) == 1


def test_training_copies_of_test_images_are_left_out_and_said() -> None:
    data = without_leaks(data_set([7, 8, 7, 9], [5, 7], labels=[0, 1, 1, 0]))
    assert data.train.images[:, 0, 0, 0].tolist() == [8, 9]
    assert data.train.labels.tolist() == [1, 0]
    assert len(data.test) == 2
    assert [one.name for one in data.left_out] == ["number 0", "number 2"]
    assert data.left_out[0].why == "The test split holds the same pixels: number 1."
    assert report(data).across == ()


def test_names_stay_with_their_images(tmp_path: Path) -> None:
    files = cats_and_dogs()
    files["test/cat/leak.png"] = files["train/cat/1.png"]
    whole = load_data(write_folder(tmp_path, files))
    kept = without_leaks(whole).train
    for at, name in enumerate(kept.names):
        assert torch.equal(kept.images[at], whole.train.images[whole.train.names.index(name)])
    assert "train/cat/1.png" not in kept.names


def test_what_could_not_be_read_and_what_was_decided_is_passed_on(tmp_path: Path) -> None:
    files = cats_and_dogs(each=10) | {"train/cat/broken.png": b"GIF89a"}
    found = report(load_data(write_folder(tmp_path, files)))
    assert [one.name for one in found.left_out] == ["train/cat/broken.png"]
    assert found.sizes == {(4, 6): 40}
    assert found.notes[0].startswith("Images are 4 x 6 pixels")


def test_class_weights_are_inverse_frequencies_of_mean_one() -> None:
    """Counts 1, 3 and 6: 1, 1/3 and 1/6, of mean 1/2."""
    labels = torch.tensor([0] + [1] * 3 + [2] * 6)
    assert class_weights(labels, 3).tolist() == pytest.approx([2, 2 / 3, 1 / 3])


def test_a_class_without_images_has_no_weight() -> None:
    assert class_weights(torch.tensor([0, 2]), 3).tolist() == [1, 0, 1]


def test_mean_and_deviation_are_those_of_all_pixels() -> None:
    images = torch.randint(0, 256, (1200, 3, 3, 5), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    mean, std = mean_and_std(images)
    pixels = images.double() / 255
    assert mean == pytest.approx(pixels.mean((0, 2, 3)).tolist(), abs=1e-12)
    assert std == pytest.approx(pixels.std((0, 2, 3), correction=0).tolist(), abs=1e-12)
