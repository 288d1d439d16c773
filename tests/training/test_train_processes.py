"""Two real processes equal one: weights, their average, momenta, psi and what is reported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.toy import weights
from tests.training.toy_processes import RECIPES, run_all

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.fixture(scope="module")
def one_and_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what one process made, in `one`, and what two did, in `two`."""
    folder = tmp_path_factory.mktemp("processes")
    run_all(folder / "one")
    subprocess.run([*TORCHRUN, "-m", "tests.training.toy_processes", str(folder / "two")], check=True, timeout=300)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_two_processes_equal_one_after_twenty_steps(one_and_two: Path, name: str) -> None:
    one, two = (weights(one_and_two / count / name) for count in ("one", "two"))
    assert int(two["step"]) == 20
    assert one.keys() == two.keys()
    apart = {name: float((one[name].double() - two[name].double()).abs().max()) for name in one}
    print(f"largest difference {max(apart.values()):.1e}")  # noqa: T201 - pytest -s shows the measure itself
    assert max(apart.values()) < 1e-5, apart


@pytest.mark.slow
@pytest.mark.parametrize("name", RECIPES)
def test_what_the_first_process_reports_is_of_all(one_and_two: Path, name: str) -> None:
    one, two = (
        torch.tensor(json.loads((one_and_two / count / name / "steps.json").read_text())) for count in ("one", "two")
    )
    torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-5)
    assert one[-1, 2] > one[0, 2]  # psi was at work
