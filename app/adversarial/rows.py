"""What each row of a batch is asked for. Rows of different requests may share a batch, so every option is per row."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.batched import Batched


@dataclass(frozen=True)
class Rows(Batched):
    """Per-row options of the loop; every field has shape (batch,) and lives on the images' device.

    Attributes:
        label: int64, the class that is encouraged or discouraged.
        encourage: bool, true to make the label more likely, false to make it less likely.
        size_rms: float, the size the step sizes are scaled by: rho of an explanation, eps of an attack.
        steps: int64, gradient steps T.
        overshoot: float, the step sizes sum to size_rms * overshoot.
        momentum: float in [0, 1), 0 for none.
        projected: bool, true to put the change back to exactly `size_rms` after every step, and to be done once steps
            hardly move it.
    """

    label: Tensor
    encourage: Tensor
    size_rms: Tensor
    steps: Tensor
    overshoot: Tensor
    momentum: Tensor
    projected: Tensor

    @classmethod
    def alike(
        cls,
        label: Tensor,
        *,
        encourage: bool,
        size_rms: float,
        steps: int,
        overshoot: float,
        momentum: float,
        projected: bool = False,
    ) -> "Rows":
        """Rows that differ in their label only."""

        def fill(value: float, dtype: torch.dtype) -> Tensor:
            return torch.full(label.shape, value, dtype=dtype, device=label.device)

        return cls(
            label=label,
            encourage=fill(encourage, torch.bool),
            size_rms=fill(size_rms, torch.float32),
            steps=fill(steps, torch.int64),
            overshoot=fill(overshoot, torch.float32),
            momentum=fill(momentum, torch.float32),
            projected=fill(projected, torch.bool),
        )
