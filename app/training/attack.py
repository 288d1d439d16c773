"""The attack on a batch that a network is about to learn from."""

from dataclasses import fields, replace

import torch
from torch import Tensor, nn

from app.adversarial.loop import Network, perturb
from app.adversarial.rows import Rows
from app.adversarial.stop_rules import while_below_size, while_class_stands
from app.training.recipe import Attack


def draw_rows(label: Tensor, attack: Attack, random: torch.Generator) -> Rows:
    """What each image of a batch is attacked with: the recipe's probability and size, on the processor."""
    rows = Rows.alike(label, encourage=False, size_rms=attack.size_rms, steps=attack.steps, overshoot=1.0, momentum=0.0)
    if attack.random_size:
        rows = replace(rows, size_rms=rows.size_rms * torch.rand(len(label), generator=random))
    # An image that is left alone runs along at size 0: the batch keeps its shape, which compiled passes want.
    chosen = torch.rand(len(label), generator=random) < attack.share
    return replace(rows, size_rms=torch.where(chosen, rows.size_rms, 0.0))


def attacked(passes: Network, network: nn.Module, images: Tensor, rows: Rows, attack: Attack) -> Tensor:
    """The images as the network should learn them; `passes` are those of `network`, which is left frozen."""
    network.eval().requires_grad_(False)
    rows = Rows(**{field.name: getattr(rows, field.name).to(images.device) for field in fields(rows)})
    rule = while_below_size if attack.goal == "size" else while_class_stands
    return images + perturb(passes, images, rows, rule).perturbation
