"""Our loop on the authors' networks against what their own code made of them.

The folder is named by AEX_REFERENCE_DIR; the minimal attacks also need CIFAR-10's test images, as an npz with
`test_images` and `test_labels` named by AEX_CIFAR10_NPZ.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.adversarial.explain import explain, paper_rows
from app.adversarial.minimal import minimal_attack
from app.adversarial.sizes import rms
from app.adversarial.stop_rules import StopRule, while_better_than_random, while_class_stands
from app.networks.importing import ImportedNetwork

AuthorsNetwork = Callable[[str], ImportedNetwork]
NETWORKS = ["resnet44-all", "resnet44-standard"]
CIFAR10_NPZ = "AEX_CIFAR10_NPZ"


def outputs(reference_dir: Path, name: str) -> dict[str, Any]:
    with np.load(reference_dir / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}


def to_images(pixels: np.ndarray) -> Tensor:
    """Pixels (n, height, width, channels) uint8 to images (n, channels, height, width) float32 in [0, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def cifar10_test() -> tuple[np.ndarray, np.ndarray]:
    """CIFAR-10's test images (10000, 32, 32, 3) uint8 and their labels."""
    if not os.environ.get(CIFAR10_NPZ):
        pytest.skip(f"{CIFAR10_NPZ} names no npz with CIFAR-10's test_images and test_labels")
    with np.load(os.environ[CIFAR10_NPZ]) as arrays:
        return arrays["test_images"], arrays["test_labels"]


@pytest.mark.parametrize("name", NETWORKS)
def test_logits_equal_within_1e_4(authors_network: AuthorsNetwork, reference_dir: Path, name: str) -> None:
    theirs = outputs(reference_dir, name)
    with torch.no_grad():
        logits = authors_network(name).network(to_images(theirs["image"]))
    off = float((logits - torch.from_numpy(theirs["logits"])).abs().max())
    print(f"{name}: largest difference of a logit {off:.2g}")  # noqa: T201 (shown by pytest -rP: what was measured)
    assert off < 1e-4


def explained_off(network: nn.Module, theirs: dict[str, Any]) -> Tensor:
    """RMS of (our x + d less theirs), as a share of rho, for every image and target; (images * targets,)."""
    rho, targets = float(theirs["rho"]), torch.from_numpy(theirs["target"])
    images = to_images(theirs["image"]).repeat_interleave(targets.shape[1], 0)
    rows = paper_rows(targets.flatten(), direction="encourage", rho=rho, steps=int(theirs["steps"]))
    assert bool((rows.overshoot == float(theirs["overshoot"])).all())
    ours = images + explain(network, images, rows).perturbation
    return rms(ours - torch.from_numpy(theirs["explained"]).flatten(0, 1)) / rho


@pytest.mark.slow
def test_explained_images_of_the_robust_network_equal_theirs(
    authors_network: AuthorsNetwork, reference_dir: Path
) -> None:
    off = explained_off(authors_network("resnet44-all").network, outputs(reference_dir, "resnet44-all"))
    print(f"RMS of the difference / rho: largest of {len(off)} rows {float(off.max()):.2g}")  # noqa: T201 (as above)
    assert float(off.max()) < 1e-4


@pytest.mark.slow
def test_explained_images_of_the_standard_network_equal_theirs_in_the_median(
    authors_network: AuthorsNetwork, reference_dir: Path
) -> None:
    # Its gradients are chaotic: rounding alone parts one row in twelve, so no single row is held to anything.
    off = explained_off(authors_network("resnet44-standard").network, outputs(reference_dir, "resnet44-standard"))
    print(f"RMS of the difference / rho: median {float(off.median()):.2g}, largest {float(off.max()):.2g}")  # noqa: T201
    assert float(off.median()) < 1e-4


def minimal_sizes(
    network: nn.Module, theirs: dict[str, Any], cifar10_test: tuple[np.ndarray, np.ndarray], goal: StopRule
) -> Tensor:
    """Our smallest RMS with their options; 0 where nothing was found, as they count it."""
    pixels, labels = (array[theirs["ara_index"]] for array in cifar10_test)
    found = minimal_attack(
        network,
        to_images(pixels),
        torch.from_numpy(labels.astype(np.int64)),
        follow_rule=goal,
        steps=int(theirs["ara_steps"]),
        eps=float(theirs["ara_eps"]),
        momentum=float(theirs["ara_momentum"]),
    )
    return found.perturbation_rms.nan_to_num(posinf=0.0)


@pytest.mark.slow
@pytest.mark.parametrize(("goal", "key"), [(while_class_stands, "attack_rms"), (while_better_than_random, "btr_rms")])
def test_minimal_sizes_on_the_robust_network_equal_theirs(
    authors_network: AuthorsNetwork,
    reference_dir: Path,
    cifar10_test: tuple[np.ndarray, np.ndarray],
    goal: StopRule,
    key: str,
) -> None:
    theirs = outputs(reference_dir, "resnet44-all")
    ours = minimal_sizes(authors_network("resnet44-all").network, theirs, cifar10_test, goal)
    expected = torch.from_numpy(theirs[key])
    off = torch.where(expected == 0, ours, (ours / expected - 1).abs())
    print(f"{key}: {int((off <= 0.01).sum())} of {len(off)} within 1%, largest {float(off.max()):.2g}")  # noqa: T201
    assert float((off <= 0.01).float().mean()) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("goal", "key"), [(while_class_stands, "attack_rms"), (while_better_than_random, "btr_rms")])
def test_minimal_sizes_on_the_standard_network_equal_theirs_on_average(
    authors_network: AuthorsNetwork,
    reference_dir: Path,
    cifar10_test: tuple[np.ndarray, np.ndarray],
    goal: StopRule,
    key: str,
) -> None:
    # No single image is held to anything: noise of 1e-7 on the pixels moves our own sizes by 22% in the median (8
    # images, none within 1% of itself), as far as theirs lie from ours. Who was found at all, and the mean, must agree.
    theirs = outputs(reference_dir, "resnet44-standard")
    ours = minimal_sizes(authors_network("resnet44-standard").network, theirs, cifar10_test, goal)
    expected = torch.from_numpy(theirs[key])
    found = expected > 0
    ratio = float((ours / expected)[found].log().mean().exp())
    print(f"{key}: ours are theirs times {ratio:.3f} in the geometric mean of {int(found.sum())}")  # noqa: T201
    assert torch.equal(ours > 0, found)
    assert 0.75 < ratio < 1 / 0.75
