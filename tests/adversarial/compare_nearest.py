"""Our smallest changes beside foolbox's DDN and L2 Brendel-Bethge, at a like number of gradient evaluations.

    python -m tests.adversarial.compare_nearest models/cifar10 --data cifar10.npz --kept runs/nearest

It needs `pip install -c constraints.txt -e '.[bench]'`. Others' sizes take an hour, and are kept in a folder.
"""

import argparse
import importlib
import warnings
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from app.adversarial.aims import Aims
from app.adversarial.drives import Drive
from app.adversarial.nearest import nearest_flip
from app.adversarial.sizes import l2
from app.engine.steps.openvino import openvino_step
from app.engine.steps.protocol import StepNetwork
from app.networks.checkpoint import load_checkpoint
from app.networks.importing import ImportOptions, import_network
from app.training.evaluate import AUTHORS_SEED
from app.training.load import load_data

IMAGES_AT_ONCE = 20
ATTACKS = ("ddn", "brendel_bethge")


class Counted(StepNetwork):
    """Counts gradient evaluations."""

    evaluations = 0

    def logits_and_gradient(self, images: Tensor, label: Tensor, drive: Drive) -> tuple[Tensor, Tensor]:
        Counted.evaluations += len(images)
        return super().logits_and_gradient(images, label, drive)

    def aimed_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        Counted.evaluations += len(images)
        return super().aimed_gradient(images, aims)


def foolbox() -> Any:
    """Another implementation; it marks no types, and warns of what it imports."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("foolbox")


def ddn(network: nn.Module, images: Tensor, label: Tensor, evaluations: int) -> Tensor:
    """Rony et al. 2018; images that are misread, as a rule."""
    others = foolbox()
    model = others.PyTorchModel(network, bounds=(0, 1), device="cpu")
    attack = others.attacks.DDNAttack(steps=evaluations)
    found: Tensor = attack.run(model, images, others.criteria.Misclassification(label))
    return found.detach().clamp(0, 1)


def brendel_bethge(network: nn.Module, images: Tensor, label: Tensor, evaluations: int) -> Tensor:
    """Brendel et al. 2019, from what DDN finds in a tenth of the evaluations, or from an image of another class."""
    others = foolbox()
    model = others.PyTorchModel(network, bounds=(0, 1), device="cpu")
    start = ddn(network, images, label, evaluations // 10)
    with torch.no_grad():
        unmoved = (network(start).argmax(1) == label).nonzero()[:, 0]
    for row in unmoved.tolist():
        start[row] = images[label != label[row]][0]
    # Their trust region grows with the number of images in the batch; here it is that of one.
    attack = others.attacks.L2BrendelBethgeAttack(steps=evaluations - evaluations // 10, lr=1e-3 / len(images))
    goal = others.criteria.Misclassification(label)
    found: Tensor = attack.run(model, images, goal, starting_points=start)
    return found.detach().clamp(0, 1)


def reference_l2(
    attack: str, network: nn.Module, images: Tensor, label: Tensor, evaluations: int, kept: Path
) -> Tensor:
    """L2 (images,) of each image's change by an attack, infinite where the network is not misled by it."""
    file = kept / f"{attack}-{evaluations}.safetensors"
    kept.mkdir(parents=True, exist_ok=True)
    sizes = load_file(file)["l2"] if file.exists() else torch.empty(0)
    while len(sizes) < len(images):
        some = slice(len(sizes), len(sizes) + IMAGES_AT_ONCE)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = {"ddn": ddn, "brendel_bethge": brendel_bethge}[attack]
            found = run(network, images[some].clone(), label[some], evaluations)
        with torch.no_grad():
            misread = network(found).argmax(1) != label[some]
        sizes = torch.cat([sizes, torch.where(misread, l2(found - images[some]), torch.inf)])
        save_file({"l2": sizes}, file)
    return sizes[: len(images)]


def read(model: Path, data: Path, count: int) -> tuple[nn.Module, Tensor, int]:
    """A network, the first test images of the authors' order, and the number of classes."""
    loaded = load_checkpoint(model, "cpu") if model.is_dir() else import_network(model, ImportOptions())
    wanted = loaded.description.input
    test = load_data(
        data, height=wanted.height, width=wanted.width, channels=wanted.channels, fit=wanted.fit, test_only=True
    ).test
    chosen = torch.randperm(len(test), generator=torch.Generator().manual_seed(AUTHORS_SEED))[:count]
    return loaded.network, test.floats(chosen), len(loaded.description.classes)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="model folder, or one of the paper authors' files")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kept", type=Path, required=True, help="folder of others' sizes")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--evaluations", type=int, default=150, help="of others; ours come to about as many")
    asked = parser.parse_args()
    network, images, classes = read(asked.model, asked.data, asked.images)
    threads = torch.get_num_threads()
    counted = Counted(openvino_step(network, images.shape[1:], classes, threads=threads), classes)
    with torch.no_grad():
        label = network(images).argmax(1)
        ours = nearest_flip(counted, images, label)
        misread = network(ours.images).argmax(1) != label
    print(f"ours: {Counted.evaluations / len(images):.0f} gradient evaluations, {int(misread.sum())} flipped")  # noqa: T201
    kept = asked.kept / asked.model.stem
    others = {name: reference_l2(name, network, images, label, asked.evaluations, kept) for name in ATTACKS}
    others["the better of them"] = torch.stack(list(others.values())).amin(0)
    mine = torch.where(misread, ours.perturbation_l2, torch.inf)
    for name, sizes in others.items():
        ratio = mine / sizes
        print(  # noqa: T201
            f"ours over {name}: at most 1.05 for {float((ratio <= 1.05).float().mean()):.1%},"
            f" at most 1 for {float((ratio <= 1).float().mean()):.1%}; median {float(ratio.median()):.3f},"
            f" largest {float(ratio.max()):.3f}; median L2 {float(sizes.median()):.3f}, ours {float(mine.median()):.3f}"
        )


if __name__ == "__main__":
    main()
