"""A dry run reckons from two real steps, and says what does not fit before memory ends."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from app.training.dry_run import DryRun, dry_run, synthetic_images
from tests.training.toy import RECIPE, toy_images

CPU = torch.device("cpu")

TOO_LARGE = """
import torch
from dataclasses import replace
from app.training import dry_run as module
from tests.training.toy import RECIPE
module._free_bytes = lambda: 300 * 2**20
recipe = replace(RECIPE, batch_size=64, side=512)
noise = module.synthetic_images(64, 2, channels=1, side=512)
try:
    module.dry_run(recipe, noise, 2, 1000, device=torch.device("cpu"))
except module.OptionError as error:
    print(error)
"""


def test_an_epoch_is_reckoned_from_the_last_step() -> None:
    assert DryRun((9.0, 2.0), steps_per_epoch=50, peak_bytes=1, loss=(1.0, 1.0)).epoch_seconds == 100


def test_two_steps_are_made_and_measured() -> None:
    told: list[int] = []
    found = dry_run(RECIPE, toy_images(32), 2, 1600, device=CPU, report=told.append)
    assert told == [1, 2]
    assert len(found.step_seconds) == 2
    assert found.steps_per_epoch == 100
    assert found.peak_bytes > 50 * 2**20  # torch alone is more
    assert all(0 < loss < 10 for loss in found.loss)


def test_noise_has_the_size_asked_for() -> None:
    noise = synthetic_images(5, 3, channels=3, side=7)
    assert noise.images.shape == (5, 3, 7, 7)
    assert noise.images.dtype == torch.uint8
    assert int(noise.labels.max()) < 3


def test_other_errors_are_not_called_memory() -> None:
    with pytest.raises(RuntimeError, match="channels"):
        dry_run(replace(RECIPE, attack=None), synthetic_images(16, 2, channels=3, side=8), 2, 16, device=CPU)


@pytest.mark.slow
def test_what_does_not_fit_is_said_in_a_sentence() -> None:
    said = subprocess.run([sys.executable, "-c", TOO_LARGE], capture_output=True, text=True, check=True, timeout=300)
    assert (
        "64 images at a time do not fit in the memory that is free, 0.3 GiB: raise --accumulate, now 1" in said.stdout
    )
