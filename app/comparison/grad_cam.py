"""Grad-CAM: which places of the last feature map speak for a class."""

from torch import Tensor, nn
from torch.nn import functional

from app.comparison.attribution import Attribution, Cost, GradCamOptions
from app.errors import OptionError
from app.networks.feature_maps import last_feature_map, shell_of


def grad_cam(
    network: nn.Module, images: Tensor, target: Tensor, options: GradCamOptions = GradCamOptions()
) -> Attribution:
    """Each feature weighted by its mean gradient, summed, and enlarged bilinearly to (batch, 1, height, width).

    In logits a place of the feature map. Signed: the paper's last step, which drops what speaks against the class, is
    not made. Arguments as for all methods, see `app.comparison.gradients`; captum's hooks go onto a shell.

    Raises:
        OptionError: the network has no such layer, or none is named and it has no last feature map.
    """
    from captum.attr import LayerGradCam  # type: ignore[import-untyped]  # noqa: PLC0415 - no types; 30 MB when asked for

    layer = options.layer if options.layer is not None else last_feature_map(network, images[:1])
    shell = shell_of(network)
    found = LayerGradCam(shell, _submodule(shell, layer)).attribute(images.detach(), target=target)
    enlarged = functional.interpolate(found.detach(), tuple(images.shape[2:]), mode="bilinear")
    return Attribution(enlarged.float(), Cost(gradient_evaluations=1, forward_passes=int(options.layer is None)))


def _submodule(network: nn.Module, layer: str | None) -> nn.Module:
    if layer is None:
        raise OptionError("Grad-CAM reads the last feature map, and this network has none; choose another method.")
    try:
        return network.get_submodule(layer)
    except AttributeError:
        raise OptionError(f"layer {layer!r} is no submodule of the network; leave it out to have it found.") from None
