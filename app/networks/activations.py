"""Activations by the names that model.json uses."""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

HALF_HUBER_DELTA = 0.5


class HalfHuber(nn.Module):
    """ReLU with a quadratic corner, so that its slope is continuous and a loss on input gradients can be minimized.

    0 for x < 0; x**2 / (2 delta) for 0 <= x <= delta; x - delta / 2 above. Slope clamp(x, 0, delta) / delta.
    Source: Woods, Chen, Teuscher 2019, delta 0.5.
    """

    def __init__(self, delta: float = HALF_HUBER_DELTA) -> None:
        super().__init__()
        self.delta = delta

    def forward(self, x: Tensor) -> Tensor:
        # Above zero this is smooth L1 of x against 0, to the last bit, and torch differentiates that twice. Written out
        # with clamp, forward and backward took five times as long: each operation is a pass over memory.
        positive = x.relu()
        zero = positive.new_zeros(()).expand_as(positive)
        return functional.smooth_l1_loss(positive, zero, reduction="none", beta=self.delta)

    def extra_repr(self) -> str:
        return f"delta={self.delta}"


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "half_huber": HalfHuber,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
}
