"""The methods by the names that are asked for."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from app.comparison.attribution import Attribution
from app.comparison.deletion import importance_of
from app.comparison.grad_cam import grad_cam
from app.comparison.gradients import input_gradient, integrated_gradients, smoothgrad
from app.comparison.occlusion import occlusion

Method = Callable[[nn.Module, Tensor, Tensor], Attribution]
"""(network, images (batch, channels, height, width) in [0, 1], target int64 (batch,)) to maps, with usual options."""

METHODS: Mapping[str, Method] = {
    "gradient": input_gradient,
    "integrated_gradients": integrated_gradients,
    "smoothgrad": smoothgrad,
    "gradcam": grad_cam,
    "occlusion": occlusion,
}
LOOKS_INSIDE = frozenset({"gradcam"})
"""Methods that read the network's own layers; to the others it is a function."""
CONTRIBUTIONS = frozenset({"integrated_gradients", "gradcam", "occlusion"})
"""Methods whose maps say what the pixels as they are contribute; the others' what a change of them would do."""

EXPECTED_GRADIENTS: Mapping[str, int] = {
    "gradient": 1,
    "integrated_gradients": 50,
    "smoothgrad": 50,
    "gradcam": 1,
    "occlusion": 75,
}
"""About how many gradient evaluations a map costs, a forward pass as a third of one: before the image is known."""


def importance_by(method: str, maps: Tensor) -> Tensor:
    """What maps order pixels by, as `importance_of`, by their method's name or "adversarial"."""
    return importance_of(maps, "signed" if method in CONTRIBUTIONS else "magnitude")
