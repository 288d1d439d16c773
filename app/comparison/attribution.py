"""What every method gives, and what may be asked of each; the defaults are those of the papers named here."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from app.errors import OptionError

MAX_PASSES = 10_000

ExplainedBy = Callable[[Tensor, Tensor], Tensor]
"""(images (batch, channels, height, width), target int64 (batch,)) to maps (batch, channels or 1, height, width)."""


@dataclass(frozen=True)
class Cost:
    """What the map of one image takes.

    Attributes:
        gradient_evaluations: passes forward and back.
        forward_passes: passes forward alone.
    """

    gradient_evaluations: int = 0
    forward_passes: int = 0


@dataclass(frozen=True)
class Attribution:
    """How much each pixel speaks for the target's logit.

    Attributes:
        map: float32 (batch, channels or 1, height, width), positive where a pixel speaks for the target and negative
            where against it, in a unit that each method's function names.
        cost: of one image.
    """

    map: Tensor
    cost: Cost


@dataclass(frozen=True)
class IntegratedGradientsOptions:
    """Sundararajan, Taly, Yan 2017 (arXiv 1703.01365), who call 20 to 300 steps enough.

    Attributes:
        steps: points on the way from the baseline to the image, by Gauss-Legendre quadrature.
        baseline: pixel level of the image that says nothing, black unless given.
    """

    steps: int = 50
    baseline: float = 0.0

    def __post_init__(self) -> None:
        require_within("steps", self.steps, 1, MAX_PASSES, "a number of points on the way")
        require_within("baseline", self.baseline, 0, 1, "a pixel level")


@dataclass(frozen=True)
class SmoothGradOptions:
    """Smilkov et al. 2017 (arXiv 1706.03825), who see no more change beyond 50 samples and like 10% to 20% of noise.

    Attributes:
        samples: noisy copies of the image.
        sigma: deviation of the Gaussian noise, as a share of the image's own range, lightest less darkest pixel.
        seed: of the noise, which is the same for every image.
    """

    samples: int = 50
    sigma: float = 0.15
    seed: int = 0

    def __post_init__(self) -> None:
        require_within("samples", self.samples, 1, MAX_PASSES, "a number of noisy copies")
        require_within("sigma", self.sigma, 0, 10, "a share of the image's range")
        require_within("seed", self.seed, 0, 2**63 - 1, "a whole number")


@dataclass(frozen=True)
class GradCamOptions:
    """Selvaraju et al. 2017 (arXiv 1610.02391).

    Attributes:
        layer: name of the submodule whose map is read; None to look for the last one, which takes a forward pass.
    """

    layer: str | None = None


@dataclass(frozen=True)
class OcclusionOptions:
    """Zeiler & Fergus 2014 (arXiv 1311.2901), who slide a grey square.

    Attributes:
        window: side of the square in pixels; None for an eighth of the image's shorter side.
        stride: pixels between two places, at most `window`; None for half of it.
        fill: pixel level of the square.
    """

    window: int | None = None
    stride: int | None = None
    fill: float = 0.5

    def __post_init__(self) -> None:
        require_within("fill", self.fill, 0, 1, "a pixel level")


def require_within(name: str, value: float, lowest: float, highest: float, unit: str) -> None:
    """Raise `OptionError` unless the value is a number of that range."""
    if not lowest <= value <= highest:
        raise OptionError(f"{name} is {value}; it must be {unit}, from {lowest} to {highest}.")
