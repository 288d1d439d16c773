"""The seam between engine and network: logits, and the gradient of each row's drive over its image."""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from app.adversarial.aims import Aims
from app.adversarial.drives import Drive


class GradientStep(Protocol):
    """A network, ready to be asked by one thread at a time; one row's answer does not depend on the others.

    Images are (batch, channels, height, width), float32 in [0, 1], of any number, none included.
    """

    @property
    def name(self) -> str:
        """The back end: "eager", "openvino" or "cuda"."""

    def logits(self, images: Tensor) -> Tensor:
        """Float32 (batch, classes), without any gradient."""

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        """Logits at the images, and the gradient over them, shaped as they are, of what each row climbs."""


@dataclass(frozen=True)
class StepNetwork:
    """A step in place of a network in `perturb`, `explain` and `minimal_attack`."""

    step: GradientStep
    classes: int

    def __call__(self, images: Tensor) -> Tensor:
        """Logits (batch, classes)."""
        return self.step.logits(images)

    def logits_and_gradient(self, images: Tensor, label: Tensor, drive: Drive) -> tuple[Tensor, Tensor]:
        """What the loop asks for; the drive is the cross entropy or the margin."""
        return self.step.logits_and_gradient(images, Aims.of_drive(drive, label, classes=self.classes))

    def aimed_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        """What a walk on a boundary asks for."""
        return self.step.logits_and_gradient(images, aims)
