"""A problem that a network learns in a second: is the upper or the lower half of the image the bright one?

`python -m tests.training.toy FOLDER` trains on it and saves after every step, to be killed.
"""

import sys
from pathlib import Path

import torch
from torch import Tensor

from app.networks.resnet import ResNetConfig
from app.training.data import DataSet, Images
from app.training.recipe import Attack, Lipschitz, Muon, Recipe
from app.training.train import train

NETWORK = ResNetConfig(classes=2, channels=1, widths=(4, 8), blocks=(1, 1), mean=(0.5,), std=(0.25,))
RECIPE = Recipe(
    NETWORK,
    epochs=2,
    batch_size=16,
    learning_rate=0.05,
    muon=Muon(),
    average_decay=0.9,
    crop_padding=1,
    attack=Attack(size_rms=0.01, steps=2, random_size=True),
    lipschitz=Lipschitz(psi_start=1.0, batch_share=0.5),
)


def toy_images(count: int, seed: int = 0) -> Images:
    """Images (count, 1, 8, 8), half of each class."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    pixels = torch.randint(0, 100, (count, 1, 8, 8), generator=random)
    pixels[labels == 0, :, :4] += 120
    pixels[labels == 1, :, 4:] += 120
    return Images(pixels.to(torch.uint8), labels)


def toy_data(count: int = 192) -> DataSet:
    return DataSet(toy_images(count), toy_images(64, seed=1), ("upper", "lower"))


def weights(run: Path) -> dict[str, Tensor]:
    """All tensors of a run's state, by name: the network's, the average's and the optimizer's."""
    state = torch.load(run / "state.pt", weights_only=True)
    momenta = {f"momentum.{i}": part["momentum_buffer"] for i, part in state["optimizer"]["state"].items()}
    named = [(f"{part}.{name}", values) for part in ("network", "average") for name, values in state[part].items()]
    return {**dict(named), **momenta, "pressure": torch.tensor(state["pressure"]), "step": torch.tensor(state["step"])}


if __name__ == "__main__":
    torch.set_num_threads(1)
    train(RECIPE, toy_data(), Path(sys.argv[1]), save_every_seconds=0)
