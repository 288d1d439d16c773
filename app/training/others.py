"""Images of any kind, in any folders, without classes: to see that a model knows them for none of its own."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from app.errors import DataError
from app.training.files import open_files
from app.training.folders import ImageFile, find_images
from app.training.npz import load_npz
from app.training.pictures import LIMITS, Shape, fitted, read_pictures

MOST = 500  # images of a set; more tell no more


def read_others(path: Path, shape: Shape, seed: int) -> Tensor:
    """Up to `MOST` images of an npz, folder or zip, as a model sees them: uint8 (n, channels, height, width).

    Args:
        path: an npz gives its test images, anything else the images in all of its folders.
        shape: what the model takes.
        seed: of the choice, where there are more.

    Raises:
        DataError: there are none that can be read.
    """
    if path.suffix.lower() == ".npz":
        images = load_npz(path).test.images
        rgb = (images[at].expand(3, -1, -1).permute(1, 2, 0) for at in _chosen(len(images), seed))
        return torch.stack([fitted(image.numpy().astype(np.float32) / np.float32(255), shape) for image in rgb])
    with open_files(path) as found:
        files = sorted(find_images(found), key=lambda file: file.parts)
        chosen = [ImageFile("/".join(files[at].parts), 0, files[at].read) for at in _chosen(len(files), seed)]
        pixels, seen = read_pictures(chosen, shape, LIMITS, lambda done, of: None)
    readable = torch.tensor([not one.wrong for one in seen], dtype=torch.bool)
    if not readable.any():
        raise DataError(f"{path} has no images that can be read; give an npz, or a folder or zip with images.")
    return pixels[readable]


def _chosen(count: int, seed: int) -> list[int]:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:MOST].tolist()
