"""Occlusion: what a logit loses when a square of the image is covered."""

from torch import Tensor, nn

from app.comparison.attribution import MAX_PASSES, Attribution, Cost, OcclusionOptions
from app.comparison.gradients import ROWS_AT_ONCE
from app.errors import OptionError


def occlusion(
    network: nn.Module,
    images: Tensor,
    target: Tensor,
    options: OcclusionOptions = OcclusionOptions(),
    *,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Attribution:
    """Of each pixel, the mean loss over all squares that cover it, (batch, 1, height, width): logits.

    Arguments as for all methods, see `app.comparison.gradients`.

    Raises:
        OptionError: window or stride does not suit the image.
    """
    from captum.attr import Occlusion  # type: ignore[import-untyped]  # noqa: PLC0415 - as in `app.comparison.grad_cam`

    channels, height, width = images.shape[1:]
    window, stride = _sizes(options, height, width)
    places = (-((window - height) // stride) + 1) * (-((window - width) // stride) + 1)
    if places > MAX_PASSES:
        raise OptionError(f"occlusion comes to {places} forward passes, at most {MAX_PASSES} are made; widen stride.")
    found = Occlusion(network).attribute(
        images.detach(),
        sliding_window_shapes=(channels, window, window),
        strides=(channels, stride, stride),
        baselines=options.fill,
        target=target,
        perturbations_per_eval=max(1, rows_at_once // len(images)),
    )
    return Attribution(found[:, :1].float(), Cost(forward_passes=1 + places))  # the square covers all channels alike


def _sizes(options: OcclusionOptions, height: int, width: int) -> tuple[int, int]:
    shorter = min(height, width)
    window = options.window if options.window is not None else max(1, shorter // 8)
    stride = options.stride if options.stride is not None else max(1, window // 2)
    if not 1 <= window <= shorter:
        raise OptionError(f"window is {window}; it must be a side in pixels, from 1 to {shorter}, the image's shorter.")
    if not 1 <= stride <= window:
        raise OptionError(f"stride is {stride}; it must be pixels, from 1 to {window}, the window, to skip none.")
    return window, stride
