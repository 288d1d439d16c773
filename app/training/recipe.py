"""Recipes: every number of a training run, frozen, with the paper's symbol beside it where it has one."""

from dataclasses import dataclass, replace
from typing import Literal, cast

from app.networks.build import Architecture, TorchvisionConfig
from app.networks.resnet import ResNetConfig


@dataclass(frozen=True)
class Attack:
    """How training images are attacked before the network learns from them.

    Attributes:
        goal: "size" follows the gradient until RMS `size_rms` (the paper's L2); "flip" until the class changes
            (the paper's L2,min).
        size_rms: eps, the scale of the steps; with `random_size` each image draws its own, uniform in [0, size_rms].
        steps: T.
        share: probability that an image is attacked; 0.5 is the paper's half-half.
    """

    goal: Literal["size", "flip"] = "size"
    size_rms: float = 0.01
    steps: int = 7
    random_size: bool = False
    share: float = 0.5


@dataclass(frozen=True)
class Lipschitz:
    """The paper's regularizer L_adv, psi * mean |ds/dx|**2, with tandem and adaptive psi.

    Attributes:
        psi_start: psi at R = 0.
        psi_growth: psi = psi_start * exp(psi_growth * R).
        target_loss: R grows while the batch's cross entropy is below this, and falls, slowly, above it.
        tandem: zeta, the probability that s is the margin of the label instead of one logit drawn uniformly.
        batch_share: the part of each batch the penalty is measured on; below 1 it costs less and is noisier.
    """

    psi_start: float = 220.0
    psi_growth: float = 0.02
    target_loss: float = 1.5
    tandem: float = 0.2
    batch_share: float = 1.0


@dataclass(frozen=True)
class Muon:
    """How convolutions are moved by Muon (`app.training.muon`); the schedule scales `rate` as it does SGD's.

    Attributes:
        rate: highest rate; the largest singular values of an update are about this.
        momentum: Nesterov's.
        weight_decay: each step shrinks the weights by rate * weight_decay.
        iterations: towards an orthogonal update.
    """

    rate: float = 0.05
    momentum: float = 0.9
    weight_decay: float = 0.01
    iterations: int = 3


@dataclass(frozen=True)
class Recipe:
    """One way to make a network.

    Attributes:
        network: what is trained; `classes`, `channels`, `mean` and `std` are taken from the data where they differ. A
            network of torchvision has as many classes as the data.
        epochs, batch_size: as usual; the batch is that of all processes together.
        accumulate: parts that each process cuts its share of a batch into, one after the other in memory. Batch norm
            then sees a part at a time.
        learning_rate: highest rate of SGD.
        schedule: "paper" divides the rate by 10 at 170/200 and 195/200 of the run; "trapezoid" warms up, holds, and
            falls linearly over the last `cooldown` of the run.
        warmup_steps, cooldown: of the trapezoid; steps, and share of the run.
        momentum, nesterov, weight_decay: of SGD.
        muon: moves the convolutions in place of SGD, which then has momentum of Nesterov's kind for the rest.
        average_decay: of the exponential moving average of the weights that is kept as the result; 0 for none.
        crop_padding: replicated pixels around an image before a random crop of its own size.
        max_aspect_ratio: an image's width over height is changed by up to this factor, either way; 1 leaves it.
        attack, lipschitz: the two ways to robustness; either, both or none.
        calibrate: divide the logits by the temperature that suits the images held out (`app.training.calibrate`).
        class_weights: weigh each image's cross entropy by how rare its class is.
        amp: passes in bfloat16 on CUDA; processors compute in float32 regardless.
        seed: of weights, data order, augmentation and attacks.
        side: height and width in pixels that the numbers above were chosen for.
    """

    network: Architecture
    epochs: float = 200
    batch_size: int = 128
    accumulate: int = 1
    learning_rate: float = 0.1
    schedule: Literal["paper", "trapezoid"] = "paper"
    warmup_steps: int = 0
    cooldown: float = 0.3
    momentum: float = 0.9
    nesterov: bool = False
    weight_decay: float = 1e-4
    muon: Muon | None = None
    average_decay: float = 0.0
    crop_padding: int = 4
    max_aspect_ratio: float = 1.0
    attack: Attack | None = None
    lipschitz: Lipschitz | None = None
    calibrate: bool = False
    class_weights: bool = False
    amp: bool = False
    seed: int = 1776
    side: int = 32


def _attack(size_rms: float) -> Attack:
    """Two steps: one step of such a size is overfitted to. Random sizes: ARA integrates over all of them."""
    return Attack(size_rms=size_rms, steps=2, random_size=True, share=1.0)


def _plain(recipe: Recipe) -> Recipe:
    """The same without what makes a network robust: its twin, for comparison."""
    network = replace(cast(ResNetConfig, recipe.network), activation="relu")
    return replace(recipe, network=network, attack=None, lipschitz=None)


_PAPER_NETWORK = ResNetConfig(classes=10)
_SMALL_NETWORK = ResNetConfig(
    classes=10,
    widths=(48, 96, 192),
    blocks=(1, 1, 1),
    activation="half_huber",
    stem_kernel=5,
    stem_pool=2,
    downsample="average",
)
_TINY_NETWORK = replace(_SMALL_NETWORK, widths=(32, 64, 128))
_MEDIUM_NETWORK = replace(_SMALL_NETWORK, widths=(24, 48, 96, 192), blocks=(1, 1, 1, 1), stem_pool=4)

# Rates, decays and Muon as found in short runs; the average forgets sooner where runs are shorter.
_SMALL = Recipe(
    _SMALL_NETWORK,
    epochs=13,
    schedule="trapezoid",
    warmup_steps=100,
    cooldown=0.6,
    weight_decay=5e-4,
    calibrate=True,
    muon=Muon(),
    average_decay=0.999,
    attack=_attack(0.045),
    lipschitz=Lipschitz(batch_share=0.125),
)
# What a small network is grown into (`aex train deep-robust --init`): larger attacks, and no regularizer, which hardly
# acted at such sizes and took 15% of the time.
_DEEP = replace(
    _SMALL, network=replace(_SMALL_NETWORK, blocks=(2, 2, 2)), epochs=9, attack=_attack(0.05), lipschitz=None
)
# Without the regularizer: its target loss is for ten classes, and of two no network's loss comes near it.
_TINY = replace(_SMALL, network=_TINY_NETWORK, epochs=6, average_decay=0.995, attack=_attack(0.02), lipschitz=None)
_MEDIUM = replace(
    _TINY,
    network=_MEDIUM_NETWORK,
    epochs=12,
    batch_size=64,
    crop_padding=8,
    attack=_attack(0.03),
    class_weights=True,
    side=128,
)

RECIPES: dict[str, Recipe] = {
    "standard": Recipe(ResNetConfig(classes=10, activation="relu")),
    "paper-adversarial": Recipe(ResNetConfig(classes=10, activation="relu"), attack=Attack()),
    "paper-robust": Recipe(_PAPER_NETWORK, lipschitz=Lipschitz()),
    "paper-all": Recipe(_PAPER_NETWORK, lipschitz=Lipschitz(), attack=Attack(goal="flip", size_rms=0.1)),
    "small-robust": _SMALL,
    "deep-robust": _DEEP,
    "tiny-robust": _TINY,
    "tiny-plain": _plain(_TINY),
    "medium-robust": _MEDIUM,
    "medium-plain": _plain(_MEDIUM),
    "imagenet-robust": Recipe(
        TorchvisionConfig("resnet50"),
        epochs=90,
        batch_size=256,
        accumulate=8,
        schedule="trapezoid",
        warmup_steps=25_000,  # five epochs, as Goyal et al. 2017
        cooldown=0.5,
        nesterov=True,
        average_decay=0.9999,
        crop_padding=28,
        # Salman et al. 2020 trained for transfer at L2 3, which is RMS .0077 at 224 pixels.
        attack=_attack(0.01),
        lipschitz=Lipschitz(target_loss=3.0, batch_share=0.25),
        amp=True,
        side=224,
    ),
}
