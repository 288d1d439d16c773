"""Folders and zips of images: what is taken, in which shape, and the sentence for whatever is wrong with them."""

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.errors import DataError
from app.training import pictures
from app.training.data import Images
from app.training.load import load_data
from tests.images.files import encoded
from tests.training.image_files import Files, cats_and_dogs, picture, png, write_folder, write_zip

Write = Callable[[Path, Mapping[str, bytes]], Path]
either = pytest.mark.parametrize("write", [write_folder, write_zip])


def by_name(images: Images) -> dict[str, int]:
    return dict(zip(images.names, images.labels.tolist(), strict=True))


@either
def test_images_come_with_the_label_of_their_folder(tmp_path: Path, write: Write) -> None:
    data = load_data(write(tmp_path / "data", cats_and_dogs()))
    assert data.classes == ("cat", "dog")
    for split, images in (("train", data.train), ("test", data.test)):
        expected = {f"{split}/{kind}/{at}.png": label for label, kind in enumerate(data.classes) for at in range(3)}
        assert by_name(images) == expected


@either
def test_pixels_are_those_of_the_file(tmp_path: Path, write: Write) -> None:
    data = load_data(write(tmp_path / "data", cats_and_dogs()))
    first = data.train.names.index("train/cat/0.png")
    assert data.train.images.dtype == torch.uint8
    assert np.array_equal(data.train.images[first].permute(1, 2, 0), picture(0))


def test_the_order_is_always_the_same_and_mixes_the_classes(tmp_path: Path) -> None:
    files = cats_and_dogs(each=20)
    one = load_data(write_folder(tmp_path / "one", files))
    other = load_data(write_zip(tmp_path / "other", dict(reversed(files.items()))))
    assert one.train.names == other.train.names
    assert 5 < int(one.train.labels[:20].sum()) < 15


def test_a_folder_around_the_splits_is_looked_through(tmp_path: Path) -> None:
    files = {f"data/{name}": content for name, content in cats_and_dogs().items()}
    assert len(load_data(write_zip(tmp_path / "data.zip", files)).train) == 6


def test_val_stands_in_for_test(tmp_path: Path) -> None:
    files = {name.replace("test/", "val/"): content for name, content in cats_and_dogs().items()}
    data = load_data(write_folder(tmp_path / "data", files))
    assert len(data.test) == 6
    assert "There is no test split; val is taken for it." in data.notes


def test_val_is_not_used_beside_test(tmp_path: Path) -> None:
    data = load_data(write_folder(tmp_path / "data", cats_and_dogs() | {"val/cat/1.png": png(99)}))
    assert len(data.test) == 6
    assert "The 1 images in val are not used." in data.notes


def test_what_lies_beside_images_is_passed_over_and_counted(tmp_path: Path) -> None:
    beside = {
        "LICENSE": b"free",
        "train/cat/Thumbs.db": b"x",
        "__MACOSX/train/cat/._0.png": b"x",
        "train/1.png": png(9),
    }
    data = load_data(write_zip(tmp_path / "data.zip", cats_and_dogs() | beside))
    assert len(data.train) == 6
    assert "Files passed over, being no images by their name or in no class folder: 4." in data.notes


def test_the_most_common_size_of_the_training_images_is_taken(tmp_path: Path) -> None:
    files = cats_and_dogs() | {"train/cat/wide.png": png(50, 2, 9)}
    files |= {f"test/dog/large{at}.png": png(60 + at, 8, 8) for at in range(10)}
    data = load_data(write_folder(tmp_path / "data", files))
    assert data.train.images.shape == (7, 3, 4, 6)
    assert data.test.images.shape == (16, 3, 4, 6)
    assert data.sizes == {(4, 6): 12, (2, 9): 1, (8, 8): 10}
    assert "the most common size to learn from; 11 of 23 had another and were fitted to it (stretch)" in data.notes[0]


def test_a_first_look_that_misled_is_corrected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.training.load.FIRST_LOOK", 1)
    files = cats_and_dogs(each=4, grey=True)
    first = load_data(write_folder(tmp_path / "before", files)).train.names[0]
    files[first] = png(70, 9, 9, grey=True)
    files["test/cat/0.png"] = png(71)  # the only one in colour
    data = load_data(write_folder(tmp_path / "data", files))
    assert data.train.names[0] == first
    assert data.train.images.shape == (8, 3, 4, 6)


def test_grey_images_have_one_channel(tmp_path: Path) -> None:
    data = load_data(write_folder(tmp_path / "data", cats_and_dogs(grey=True)))
    first = data.train.names.index("train/cat/0.png")
    assert np.array_equal(data.train.images[first, 0], picture(0, grey=True)[:, :, 0])
    assert "All images are grey: one channel." in data.notes


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_are_as_asked_for(tmp_path: Path, channels: int) -> None:
    data = load_data(write_folder(tmp_path / "data", cats_and_dogs(grey=channels == 3)), channels=channels)
    assert data.train.images.shape[1] == channels


def test_a_larger_image_is_averaged_to_the_size_asked_for(tmp_path: Path) -> None:
    data = load_data(write_folder(tmp_path / "data", cats_and_dogs()), height=2, width=3)
    first = data.train.names.index("train/cat/0.png")
    mean_of_blocks = picture(0).reshape(2, 2, 3, 2, 3).mean(axis=(1, 3))
    assert data.train.images.shape == (6, 3, 2, 3)
    assert np.abs(data.train.images[first].permute(1, 2, 0).numpy() - mean_of_blocks).max() <= 0.5001


def test_sixteen_bits_are_rounded_to_eight(tmp_path: Path) -> None:
    levels = np.full((4, 6), 257 * 100 + 200, dtype=np.uint16)  # 100.8 of 255
    files = cats_and_dogs(grey=True) | {"train/cat/0.png": encoded(levels, "PNG")}
    data = load_data(write_folder(tmp_path / "data", files))
    assert set(data.train.images[data.train.names.index("train/cat/0.png")].flatten().tolist()) == {101}


def test_progress_ends_at_the_number_of_files(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    load_data(write_folder(tmp_path / "data", cats_and_dogs()), tell=lambda done, of: told.append((done, of)))
    assert told[-1] == (12, 12)


def test_a_test_split_alone_is_enough_to_measure_on(tmp_path: Path) -> None:
    files = {name: content for name, content in cats_and_dogs().items() if name.startswith("test")}
    data = load_data(write_zip(tmp_path / "data.zip", files), height=4, width=6, channels=3, test_only=True)
    assert (len(data.train), len(data.test)) == (0, 6)


def test_a_few_unreadable_images_are_left_out_by_name(tmp_path: Path) -> None:
    files = cats_and_dogs(each=10)
    jpeg = encoded(picture(80, 40, 60), "JPEG")
    files["train/cat/cut.jpg"], files["test/dog/empty.png"] = jpeg[: len(jpeg) // 2], b""
    data = load_data(write_zip(tmp_path / "data.zip", files))
    assert (len(data.train), len(data.test)) == (20, 20)
    assert {one.name for one in data.left_out} == {"train/cat/cut.jpg", "test/dog/empty.png"}
    (cut,) = (one.why for one in data.left_out if one.name == "train/cat/cut.jpg")
    assert cut == "The image is truncated or damaged; it could not be decoded to its end."


def test_many_unreadable_images_are_an_error_that_names_one(tmp_path: Path) -> None:
    files = cats_and_dogs()
    files["train/cat/cut.png"] = png(0)[:-30]
    with pytest.raises(
        DataError, match=r"^train/cat/cut\.png of .*data: The image is truncated .* At most 5% may be left"
    ):
        load_data(write_folder(tmp_path / "data", files))


def test_nothing_but_unreadable_images_is_an_error(tmp_path: Path) -> None:
    files = dict.fromkeys(cats_and_dogs(), b"no image")
    with pytest.raises(DataError, match=r"these bytes are no image|These bytes are no image.* 11 more of 12 images"):
        load_data(write_folder(tmp_path / "data", files))


@pytest.mark.parametrize("packer", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_zip_entry_is_left_out(tmp_path: Path, packer: int) -> None:
    path = write_zip(tmp_path / "data.zip", cats_and_dogs(each=10), packer)
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo("train/dog/3.png")
    content = bytearray(path.read_bytes())
    at = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    content[at : at + 8] = bytes(byte ^ 255 for byte in content[at : at + 8])
    path.write_bytes(content)
    (left_out,) = load_data(path).left_out
    assert left_out.name == "train/dog/3.png"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_among_the_files_is_left_out(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "data", cats_and_dogs(each=10))
    os.mkfifo(path / "train" / "cat" / "pipe.png")
    assert [one.name for one in load_data(path).left_out] == ["train/cat/pipe.png"]


def test_linked_folders_are_followed_once(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "data", cats_and_dogs())
    (tmp_path / "data/train/cat").rename(tmp_path / "elsewhere")
    (tmp_path / "data/train/cat").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/again").symlink_to(tmp_path / "data")
    assert len(load_data(path).train) == 6


def changed(*removed: str, **added: bytes) -> Files:
    """Three of each, without the files whose names start so."""
    return {name: content for name, content in cats_and_dogs().items() if not name.startswith(removed)} | added


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (changed("train/"), "has no images of the split train; images lie in test. Put them into train/CLASS/"),
        (
            changed("test/"),
            r"has no images of the split test; images lie in train. Put them into test \(or val\)/CLASS/",
        ),
        ({}, "has no images of the split train; it holds no images at all"),
        ({"train/0.png": png(0), "test/1.png": png(1)}, "has no images of the split train"),
        (changed("test/dog"), "has no images in test/dog, but some in train/dog; both splits need"),
        (changed("train/cat"), "has no images in train/cat, but some in test/cat"),
        (changed("train/dog", "test/dog"), "has images of one class, cat; at least two are needed"),
        (changed("train/cat/1", "train/cat/2"), "has 1 readable images in train/cat; 2 or more are needed"),
        (changed("test/cat/1", "test/cat/2") | {"test/cat/0.png": b""}, "test/cat/0.png of .*: The image has no bytes"),
        ({name.replace("cat", " cat"): content for name, content in cats_and_dogs().items()}, "a class called ' cat'"),
    ],
)
@either
def test_a_wrong_layout_is_named(tmp_path: Path, write: Write, files: Files, sentence: str) -> None:
    (tmp_path / "data").mkdir() if write is write_folder else None
    with pytest.raises(DataError, match=sentence):
        load_data(write(tmp_path / "data", files))


def test_names_in_a_zip_are_words_and_no_paths(tmp_path: Path) -> None:
    odd = {"../../train/cat/up.png": png(90), "train/dog/\x1b[31m.png": png(91)}
    data = load_data(write_zip(tmp_path / "data.zip", cats_and_dogs() | odd))
    assert "train/dog/?[31m.png" in data.train.names
    assert sorted(tmp_path.iterdir()) == [tmp_path / "data.zip"]
    assert len(data.train) == 7


def test_a_zip_that_promises_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.training.files.MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(DataError, match=r"promises 12 files of \d+ bytes together; at most"):
        load_data(write_zip(tmp_path / "data.zip", cats_and_dogs()))


def test_a_file_that_is_no_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"data\.zip is not a whole zip. Data is an npz, a folder or zip of"):
        load_data(tmp_path / "data.zip")


def test_a_path_to_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="data does not exist; give an npz, or a folder or zip of images"):
        load_data(tmp_path / "data")


def test_more_than_memory_holds_is_refused_before_it_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MEMORY_BYTES", 1000)
    with pytest.raises(DataError, match=r"12 images of 4 x 6 pixels take .* more than half of this machine's memory"):
        load_data(write_folder(tmp_path / "data", cats_and_dogs()))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"height": 0}, "The height asked for is 0 pixels; it must be 1 to 2048"),
        ({"width": 4000}, "The width asked for is 4000 pixels"),
        ({"channels": 2}, "2 channels were asked for; it must be 1"),
        ({"fit": "squeeze"}, "Images cannot be fitted by 'squeeze'; it must be one of stretch, letterbox, center_crop"),
    ],
)
def test_a_shape_no_network_takes_is_refused(tmp_path: Path, asked: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        load_data(tmp_path, **asked)


def test_images_too_large_for_a_network_need_a_size_asked_for(tmp_path: Path) -> None:
    path = write_folder(tmp_path / "data", {name: png(1, 1, 2100) for name in cats_and_dogs(each=2)})
    with pytest.raises(DataError, match=r"The most common size of the images is 1 x 2100 pixels"):
        load_data(path)
    assert load_data(path, height=1, width=30).train.images.shape == (4, 3, 1, 30)
