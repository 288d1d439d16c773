"""Twenty steps on the toy problem, in as many processes as torchrun starts, every step and the last state kept.

`torchrun --standalone --nproc-per-node 2 -m tests.training.toy_processes FOLDER` does so for each of `RECIPES`.
"""

import json
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from app.training.distributed import joined
from app.training.recipe import Lipschitz, Recipe
from app.training.train import Progress, train
from tests.training.toy import RECIPE, toy_data


def _recipe(accumulate: int, batch_share: float) -> Recipe:
    """One with everything that processes have to agree on."""
    options = Lipschitz(psi_start=1.0, psi_growth=0.2, batch_share=batch_share)
    return replace(RECIPE, epochs=20 / 12, accumulate=accumulate, lipschitz=options, class_weights=True)


RECIPES = {"penalty-apart": _recipe(1, 0.5), "penalty-together": _recipe(2, 1.0)}


def _keep(steps: list[tuple[float, float, float]], progress: Progress) -> None:
    steps.append((progress.loss, progress.accuracy, progress.psi))


def run_all(folder: Path) -> None:
    """Train by each recipe in a folder of its own, and write down each step's numbers."""
    with joined(torch.device("cpu")) as (processes, device):
        for name, recipe in RECIPES.items():
            steps: list[tuple[float, float, float]] = []
            train(
                recipe,
                toy_data(),
                folder / name,
                device=device,
                processes=processes,
                class_weights=torch.tensor([0.5, 1.5]),
                report=partial(_keep, steps),
            )
            if processes.is_first:
                (folder / name / "steps.json").write_text(json.dumps(steps))


if __name__ == "__main__":
    torch.set_num_threads(1)
    run_all(Path(sys.argv[1]))
