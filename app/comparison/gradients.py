"""Explanations by the gradient of the target's logit over the image: alone, along a line, and among noise.

Common to all methods of this room:
    network: from images to logits (batch, classes), in evaluation mode, without gradients for weights. It is called
        and gets no hooks: other threads may be using it.
    images: (batch, channels, height, width) in [0, 1].
    target: int64 (batch,), the class that each map is of.
    rows_at_once: rows in one pass through the network, or as many as there are images where those are more.
"""

import torch
from torch import Tensor, nn

from app.adversarial.sizes import per_row
from app.comparison.attribution import Attribution, Cost, IntegratedGradientsOptions, SmoothGradOptions

ROWS_AT_ONCE = 32


def input_gradient(network: nn.Module, images: Tensor, target: Tensor) -> Attribution:
    """The gradient itself (Simonyan et al. 2013), signed: logits a pixel level."""
    leaf = images.detach().requires_grad_()
    from captum.attr import Saliency  # type: ignore[import-untyped]  # noqa: PLC0415 - as in `app.comparison.grad_cam`

    gradient = Saliency(network).attribute(leaf, target=target, abs=False)
    return Attribution(gradient.float(), Cost(gradient_evaluations=1))


def integrated_gradients(
    network: nn.Module,
    images: Tensor,
    target: Tensor,
    options: IntegratedGradientsOptions = IntegratedGradientsOptions(),
    *,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Attribution:
    """The way from the baseline times the mean gradient along it: logits, which sum to what the logit gained on it."""
    from captum.attr import IntegratedGradients  # noqa: PLC0415 - as above

    found = IntegratedGradients(network).attribute(
        images.detach(),
        baselines=options.baseline,
        target=target,
        n_steps=options.steps,
        internal_batch_size=max(rows_at_once, len(images)),
    )
    return Attribution(found.detach().float(), Cost(gradient_evaluations=options.steps))


def smoothgrad(
    network: nn.Module,
    images: Tensor,
    target: Tensor,
    options: SmoothGradOptions = SmoothGradOptions(),
    *,
    rows_at_once: int = ROWS_AT_ONCE,
) -> Attribution:
    """The mean gradient over noisy copies of the image, not clamped: logits a pixel level.

    Not by captum's noise tunnel, whose noise comes from the process's one generator: two requests at a time would each
    get what the other left, and a seed would mean nothing.
    """
    random = torch.Generator().manual_seed(options.seed)
    noise = torch.randn(options.samples, *images.shape[1:], generator=random).to(images)
    pixels = images.detach().flatten(1)
    deviation = per_row(options.sigma * (pixels.amax(1) - pixels.amin(1)), images)
    total = torch.zeros_like(images)
    for some in torch.split(noise, max(1, rows_at_once // len(images))):
        noisy = images.detach()[:, None] + deviation[:, None] * some
        gradient = input_gradient(network, noisy.flatten(0, 1), target.repeat_interleave(len(some))).map
        total += gradient.view(noisy.shape).sum(1)
    return Attribution((total / options.samples).float(), Cost(gradient_evaluations=options.samples))
