"""Twenty steps on the toy problem, in as many processes as torchrun starts, every step and the last state kept.

`torchrun --standalone --nproc-per-node 2 -m tests.training.toy_processes FOLDER ACCUMULATE BATCH_SHARE`
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import torch

from app.training.distributed import joined
from app.training.recipe import Lipschitz, Recipe
from app.training.train import Progress, train
from tests.training.toy import RECIPE, toy_data


def recipe(accumulate: int, batch_share: float, *, class_weights: bool) -> Recipe:
    """One with everything that processes have to agree on."""
    options = Lipschitz(psi_start=1.0, psi_growth=0.2, batch_share=batch_share)
    return replace(RECIPE, epochs=20 / 12, accumulate=accumulate, lipschitz=options, class_weights=class_weights)


def run(folder: Path, chosen: Recipe) -> None:
    """Train there, and write down each step's numbers."""
    steps: list[tuple[float, float, float]] = []

    def keep(progress: Progress) -> None:
        steps.append((progress.loss, progress.accuracy, progress.psi))

    weights = torch.tensor([0.5, 1.5])
    with joined(torch.device("cpu")) as (processes, device):
        train(chosen, toy_data(), folder, device=device, processes=processes, class_weights=weights, report=keep)
    if processes.is_first:
        (folder / "steps.json").write_text(json.dumps(steps))


if __name__ == "__main__":
    torch.set_num_threads(1)
    run(Path(sys.argv[1]), recipe(int(sys.argv[2]), float(sys.argv[3]), class_weights=True))
