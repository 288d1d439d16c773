"""Gradients over images in operators that inference engines know: what torch's autograd leaves behind, rewritten.

Each rule stands in for one operator of torch while a network and its gradient are traced, with that operator's own
arguments (names and order: torch's native_functions.yaml). Weights take no part in the gradient, so their places in a
result hold None. Arithmetic on weights alone is done here and now, outside the trace, which sees its result.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import disable_proxy_modes_tracing

from app.errors import StepUnavailable

aten = torch.ops.aten

Ints = Sequence[int]


def convolution_backward(
    grad: Tensor,
    image: Tensor,
    weight: Tensor,
    bias_sizes: Ints | None,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    transposed: bool,
    output_padding: Ints,
    groups: int,
    mask: Sequence[bool],
) -> tuple[Tensor, None, None]:
    """A convolution of the output's gradient: by flipped weights at stride 1, else a transposed one."""
    del bias_sizes, output_padding, mask
    sides = weight.shape[2:]
    none = [0] * len(sides)
    reach = [step * (side - 1) for step, side in zip(dilation, sides, strict=True)]
    around = [far - pad for far, pad in zip(reach, padding, strict=True)]
    if not transposed and all(step == 1 for step in stride) and min(around) >= 0:
        with disable_proxy_modes_tracing():
            back = _flipped(weight, groups)
        return aten.convolution(grad, back, None, stride, around, dilation, False, none, groups), None, None
    with disable_proxy_modes_tracing():
        own = weight.clone()  # openvino 2026.4 computes nonsense where both ways share one constant
    if transposed:
        return aten.convolution(grad, own, None, stride, padding, dilation, False, none, groups), None, None
    missing = [
        size - ((small - 1) * step - 2 * pad + far + 1)
        for size, small, step, pad, far in zip(image.shape[2:], grad.shape[2:], stride, padding, reach, strict=True)
    ]
    return aten.convolution(grad, own, None, stride, padding, dilation, True, missing, groups), None, None


def _flipped(weight: Tensor, groups: int) -> Tensor:
    """(out, in / groups, *sides) to (in, out / groups, *sides), each kernel turned round."""
    outs, ins, *sides = weight.shape
    swapped = weight.reshape(groups, outs // groups, ins, *sides).transpose(1, 2)
    return swapped.reshape(groups * ins, outs // groups, *sides).flip(*range(2, 2 + len(sides))).contiguous()


def avg_pool2d_backward(
    grad: Tensor,
    image: Tensor,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Tensor:
    """Each output's gradient spread evenly over its window."""
    stride = stride or kernel
    high, wide = grad.shape[2] * kernel[0], grad.shape[3] * kernel[1]
    share = grad / (divisor or kernel[0] * kernel[1])
    if list(stride) == list(kernel) and (high, wide) == tuple(image.shape[2:]):
        tiles = share[:, :, :, None, :, None].expand(-1, -1, -1, kernel[0], -1, kernel[1])
        return tiles.reshape(-1, *image.shape[1:])
    if ceil_mode or (any(padding) and not count_include_pad):
        raise StepUnavailable(
            "An average pooling of this network has windows of different sizes (ceil_mode, or padding that is not"
            " counted), whose gradient has no rule here."
        )
    missing = [
        size - ((small - 1) * step - 2 * pad + side)
        for size, small, step, pad, side in zip(image.shape[2:], grad.shape[2:], stride, padding, kernel, strict=True)
    ]
    channels = image.shape[1]
    ones = torch.ones(channels, 1, *kernel)
    return aten.convolution(share, ones, None, stride, padding, [1, 1], True, missing, channels)  # type: ignore[no-any-return]


def max_pool2d_backward(
    grad: Tensor,
    image: Tensor,
    kernel: Ints,
    stride: Ints,
    padding: Ints,
    dilation: Ints,
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    """Each output's gradient added where its window's maximum stood."""
    del kernel, stride, padding, dilation, ceil_mode
    flat = torch.zeros_like(image).flatten(2)
    return flat.scatter_add(2, indices.flatten(2), grad.flatten(2)).view_as(image)


def empty_permuted(size: Ints, order: Ints, *, dtype: torch.dtype | None = None, **others: object) -> Tensor:
    """Room that is written to before it is read: zeros do as well, and every engine has them."""
    del order, others
    return torch.zeros(*size, dtype=dtype)


RULES: dict[torch._ops.OpOverload, Callable[..., object]] = {
    aten.convolution_backward.default: convolution_backward,
    aten.avg_pool2d_backward.default: avg_pool2d_backward,
    aten.max_pool2d_with_indices_backward.default: max_pool2d_backward,
    aten.empty_permuted.default: empty_permuted,
}
