"""The methods by the names that are asked for."""

from collections.abc import Callable, Mapping

from torch import Tensor, nn

from app.comparison.attribution import Attribution
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
