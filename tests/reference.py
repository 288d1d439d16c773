"""The paper's method again, slow and plain, as the oracle that the fast code is held against.

One image at a time, one step after the other, written from the paper's text alone and sharing no code with `app`. An
image is (channels, height, width) in [0, 1]; whatever type it has, float64 in the tests, everything else takes too.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Classifier = Callable[[Tensor], Tensor]
Follow = Callable[[Tensor, Tensor], bool]
Score = Callable[[Tensor], Tensor]


def plain_rms(perturbation: Tensor) -> float:
    """sqrt(mean(d**2)), summed number by number."""
    numbers = perturbation.flatten().tolist()
    return math.sqrt(sum(number * number for number in numbers) / len(numbers))


def plain_cross_entropy(label: int) -> Score:
    """From logits (classes,) to -log softmax at the label."""
    return lambda logits: logits.exp().sum().log() - logits[label]


def plain_margin(label: int) -> Score:
    """From logits (classes,) to the best of the other classes less the label."""
    return lambda logits: torch.stack([logits[j] for j in range(len(logits)) if j != label]).max() - logits[label]


def plain_contrast(label: int, against: int) -> Score:
    """From logits (classes,) to one other class less the label."""
    return lambda logits: logits[against] - logits[label]


def follow_below(size_rms: float) -> Follow:
    """Follow the gradient while RMS(d) < size."""
    return lambda _logits, d: plain_rms(d) < size_rms


def follow_while_class_is(label: int) -> Follow:
    """Follow while argmax z = label (the goal "attack")."""
    return lambda logits, _d: logits.tolist().index(max(logits.tolist())) == label


def follow_while_better_than_chance(label: int) -> Follow:
    """Follow while softmax(z)[label] > 1 / classes (the goal "BTR")."""

    def follow(logits: Tensor, _d: Tensor) -> bool:
        powers = [math.exp(z - max(logits.tolist())) for z in logits.tolist()]
        return powers[label] / sum(powers) > 1 / len(powers)

    return follow


def plain_loop(
    network: Classifier,
    image: Tensor,
    *,
    score: Score,
    encourage: bool,
    size_rms: float,
    steps: int,
    overshoot: float,
    momentum: float,
    follow: Follow,
) -> list[Tensor]:
    """The paper's loop on one image; returns its steps + 1 perturbations, from zero to the last."""
    d = torch.zeros_like(image)
    m = torch.zeros_like(image)
    seen = [d]
    for t in range(steps):
        x = (image + d).detach().requires_grad_()
        z = network(x[None])[0]
        (g,) = torch.autograd.grad(score(z), x)
        if not follow(z.detach(), d):
            u = -d
        elif encourage:
            u = -g
        else:
            u = g
        u = u / (1e-8 + plain_rms(u))
        if momentum > 0:
            m = momentum * m + (1 - momentum) * u
            u = m
        d = d + u * (size_rms * overshoot * (steps - t) / (steps * (steps + 1) / 2))
        seen.append(d)
    return seen


def plain_projected(
    network: Classifier,
    image: Tensor,
    *,
    score: Score,
    encourage: bool,
    size_rms: float,
    steps: int,
    overshoot: float,
    momentum: float,
    resting: float = 0.0,
) -> list[Tensor]:
    """The loop that is put back to its size after every step; ends before a step that moves it by less than resting."""
    d = torch.zeros_like(image)
    m = torch.zeros_like(image)
    seen = [d]
    for t in range(steps):
        x = (image + d).detach().requires_grad_()
        (g,) = torch.autograd.grad(score(network(x[None])[0]), x)
        u = -g if encourage else g
        m = momentum * m + (1 - momentum) * u / (1e-8 + plain_rms(u))
        far = d + m * (size_rms * overshoot * (steps - t) / (steps * (steps + 1) / 2))
        new = far * (size_rms / (1e-8 + plain_rms(far)))
        if plain_rms(new - d) < resting * size_rms:
            break
        d = new
        seen.append(d)
    return seen


def plain_minimal_rms(network: Classifier, image: Tensor, seen: Sequence[Tensor], follow: Follow) -> float:
    """The smallest RMS among the perturbations seen that met the goal, infinite where none did."""
    met = [plain_rms(d) for d in seen if not follow(network((image + d)[None])[0].detach(), d)]
    return min(met, default=math.inf)


def plain_accuracy(smallest_rms: Sequence[float], size_rms: float) -> float:
    """Share of the images whose smallest successful RMS is above this one."""
    return sum(rms > size_rms for rms in smallest_rms) / len(smallest_rms)


def brute_force_area(
    smallest_rms: Sequence[float], classes: int, largest_rms: float, *, slices: int = 100_000
) -> float:
    """Integral of max(0, accuracy - 1 / classes) from 0 to the largest RMS, by the midpoints of many thin slices."""
    width = largest_rms / slices
    middles = ((i + 0.5) * width for i in range(slices))
    return math.fsum(width * max(0.0, plain_accuracy(smallest_rms, r) - 1 / classes) for r in middles)


def authors_area(smallest_rms: Sequence[float], classes: int, largest_rms: float) -> float:
    """The same with the authors' 1,000 bins."""
    return brute_force_area(smallest_rms, classes, largest_rms, slices=1000)


def plain_half_huber(x: float, delta: float) -> float:
    """0 below zero; quadratic to delta; then a line of slope 1."""
    if x < 0:
        return 0.0
    if x <= delta:
        return x * x / (2 * delta)
    return x - delta / 2


def plain_penalty(
    network: Classifier, images: Tensor, label: Sequence[int], tandem: Sequence[bool], drawn: Sequence[int]
) -> Tensor:
    """Mean over batch and pixels of |ds/dx|**2, by each image's own Jacobian (no batch norm in training mode)."""
    total = torch.zeros((), dtype=images.dtype)
    for i, image in enumerate(images):
        x = image.detach().requires_grad_()
        z = network(x[None])[0]
        jacobian = [torch.autograd.grad(one_logit, x, retain_graph=True)[0] for one_logit in z]
        logits = z.tolist()
        if tandem[i]:
            best = max((z, j) for j, z in enumerate(logits) if j != label[i])[1]
            slope = jacobian[label[i]] - jacobian[best]
        else:
            slope = jacobian[drawn[i]]
        total = total + (slope**2).sum()
    return total / images.numel()


def plain_shift_and_mirror(image: Tensor, top: int, left: int, *, mirrored: bool) -> Tensor:
    """Pixel (r, c) comes from (r + top, c + left) of the image, edges repeated; then left and right are swapped."""
    channels, height, width = image.shape
    answer = torch.empty_like(image)
    for channel in range(channels):
        for r in range(height):
            for c in range(width):
                row = min(max(r + top, 0), height - 1)
                column = min(max(c + left, 0), width - 1)
                answer[channel, r, width - 1 - c if mirrored else c] = image[channel, row, column]
    return answer


def plain_window(image: Tensor, top: float, left: float, height: float, width: float) -> Tensor:
    """The rectangle of an image (channels, h, w), in its pixels, enlarged to h by w; linear between pixel centres."""
    channels, rows, columns = image.shape
    answer = torch.empty_like(image)
    for r in range(rows):
        for c in range(columns):
            y = min(max(top + (r + 0.5) * height / rows - 0.5, 0), rows - 1)
            x = min(max(left + (c + 0.5) * width / columns - 0.5, 0), columns - 1)
            above, before = int(y), int(x)
            below, after = min(above + 1, rows - 1), min(before + 1, columns - 1)
            for channel in range(channels):
                upper = (before + 1 - x) * image[channel, above, before] + (x - before) * image[channel, above, after]
                lower = (before + 1 - x) * image[channel, below, before] + (x - before) * image[channel, below, after]
                answer[channel, r, c] = (above + 1 - y) * upper + (y - above) * lower
    return answer
