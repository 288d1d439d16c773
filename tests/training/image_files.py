"""Small folders and zips of images, as users have them."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.images.files import encoded

Files = dict[str, bytes]


def picture(number: int, height: int = 4, width: int = 6, *, grey: bool = False) -> NDArray[np.uint8]:
    """RGB (height, width, 3); each number has its own."""
    levels = np.random.default_rng(number).integers(0, 256, (height, width, 1 if grey else 3), dtype=np.uint8)
    return np.repeat(levels, 3, axis=2) if grey else levels


def png(number: int, height: int = 4, width: int = 6, *, grey: bool = False) -> bytes:
    return encoded(picture(number, height, width, grey=grey), "PNG")


def cats_and_dogs(each: int = 3, *, grey: bool = False) -> Files:
    """`train|test/cat|dog/0.png` and so on, all 4 x 6 pixels and all different; by name."""
    names = [f"{split}/{kind}/{at}.png" for split in ("train", "test") for kind in ("cat", "dog") for at in range(each)]
    return {name: png(number, grey=grey) for number, name in enumerate(names)}


def write_folder(path: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def write_zip(path: Path, files: Mapping[str, bytes], packer: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packer) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path
