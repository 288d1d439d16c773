"""The model that ships does what its explanations say."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from app.adversarial.explain import Direction, explain, paper_rows
from app.images.decode import DecodeLimits
from app.images.selection import Selection
from app.networks.checkpoint import Checkpoint, load_checkpoint
from app.service.uploads import read_upload
from app.training.npz import load_npz
from tests.end_to_end.conftest import ROOT

CIFAR10_NPZ = "AEX_CIFAR10_NPZ"


@pytest.fixture(scope="module")
def shipped() -> Checkpoint:
    return load_checkpoint(ROOT / "models" / "cifar10", "cpu")


def example_images() -> Tensor:
    """(6, 3, 32, 32) in [0, 1]."""
    files = sorted((ROOT / "examples").glob("*.png"))
    pixels = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def sent(images: Tensor) -> Tensor:
    """As a picture holds them: clamped and rounded to 8 bits, back in [0, 1]."""
    return (images.clamp(0, 1) * 255).round() / 255


def test_a_picture_made_beside_fifteen_others_is_the_picture_made_alone(shipped: Checkpoint) -> None:
    """To one level of 255 in one pixel of a thousand: batches of other sizes sum a convolution in another order."""
    images = example_images().repeat(3, 1, 1, 1)[:16]
    target = torch.arange(16) % 10
    rows = paper_rows(target, direction="encourage")
    together = sent(images + explain(shipped.network, images, rows).perturbation)
    for row in range(16):
        alone = sent(
            images[row : row + 1] + explain(shipped.network, images[row : row + 1], rows[row : row + 1]).perturbation
        )
        levels_apart = ((together[row] - alone[0]) * 255).abs().round()
        assert levels_apart.max() <= 1
        assert (levels_apart > 0).float().mean() <= 0.001


def test_a_model_of_x_rays_knows_every_example_picture_for_none_of_its_business() -> None:
    chest = load_checkpoint(ROOT / "models" / "chest_xray", "cpu")
    assert chest.domain is not None
    calibration = chest.description.calibration
    assert calibration is not None
    assert calibration.domain is not None
    wanted, limits = chest.description.input, DecodeLimits(max_bytes=1 << 24, max_pixels=1 << 24, max_seconds=30)
    files = sorted([*(ROOT / "examples").glob("*.png"), *(ROOT / "examples").glob("*.jpg")])
    uploads = [read_upload(file.read_bytes(), limits, wanted, Selection()) for file in files]
    scores = chest.domain.scores(torch.stack([upload.fitted for upload in uploads]))
    assert [file.name for file, score in zip(files, scores, strict=True) if score <= calibration.domain.threshold] == []


@pytest.mark.slow
@pytest.mark.parametrize("direction", ["encourage", "discourage"])
@pytest.mark.parametrize("asked", ["predicted", "runner_up", "true class"])
def test_explanations_of_200_test_images_move_their_targets_probability(
    shipped: Checkpoint, direction: Direction, asked: str
) -> None:
    if not os.environ.get(CIFAR10_NPZ):
        pytest.skip(f"{CIFAR10_NPZ} names no npz with CIFAR-10's test images")
    test = load_npz(Path(os.environ[CIFAR10_NPZ])).test
    images, network = test.floats(slice(0, 200)), shipped.network
    ranking = network(images).argsort(dim=1, descending=True)
    target = {"predicted": ranking[:, 0], "runner_up": ranking[:, 1], "true class": test.labels[:200]}[asked]
    found = explain(network, images, paper_rows(target, direction=direction))
    after = network(sent(images + found.perturbation)).softmax(1).gather(1, target[:, None])[:, 0]
    rose = after > found.probability_before
    share = float((rose if direction == "encourage" else after < found.probability_before).float().mean())
    print(f"{direction} {asked}: {share:.3f} of 200 move as asked")  # noqa: T201 - shown by -rP
    assert share >= 0.98
