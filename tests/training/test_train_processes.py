"""Two real processes equal one: weights, their average, momenta, psi and what is reported."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.training.toy import weights
from tests.training.toy_processes import recipe, run

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.slow
@pytest.mark.parametrize(("accumulate", "batch_share"), [(1, 0.5), (2, 1.0)])
def test_two_processes_equal_one(tmp_path: Path, accumulate: int, batch_share: float) -> None:
    run(tmp_path / "one", recipe(accumulate, batch_share, class_weights=True))
    arguments = [str(tmp_path / "two"), str(accumulate), str(batch_share)]
    subprocess.run([*TORCHRUN, "-m", "tests.training.toy_processes", *arguments], check=True, timeout=120)

    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert int(two["step"]) == 20
    assert one.keys() == two.keys()
    apart = {name: float((one[name].double() - two[name].double()).abs().max()) for name in one}
    assert max(apart.values()) < 1e-5, apart
    steps = [torch.tensor(json.loads((tmp_path / name / "steps.json").read_text())) for name in ("one", "two")]
    torch.testing.assert_close(steps[0], steps[1], rtol=1e-5, atol=1e-5)
    assert steps[0][-1, 2] > steps[0][0, 2]  # psi was at work
