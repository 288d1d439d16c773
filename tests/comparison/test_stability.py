"""Sensitivity and repeatability of maps that change by a known amount, and captum's own sensitivity."""

import pytest
import torch
from captum.metrics import sensitivity_max  # type: ignore[import-untyped]  # it ships no types
from torch import Tensor

from app.comparison.attribution import SmoothGradOptions
from app.comparison.gradients import input_gradient, smoothgrad
from app.comparison.stability import max_sensitivity, repeatability
from tests.adversarial.tiny import random_convnet, random_images

TARGET = torch.tensor([2, 0, 1])


def test_a_constant_explanation_is_not_sensitive() -> None:
    assert max_sensitivity(torch.ones_like, random_images(1, 2)).tolist() == [0, 0]


def test_where_the_map_is_the_image_it_is_the_largest_noise_over_the_image() -> None:
    images = random_images(1, 2)
    noise = 0.1 * (2 * torch.rand(4, *images.shape[1:], generator=torch.Generator().manual_seed(7)) - 1).double()
    largest = noise.flatten(1).norm(dim=1).max()
    found = max_sensitivity(lambda images: images, images, radius=0.1, samples=4, seed=7)
    torch.testing.assert_close(found, largest / images.flatten(1).norm(dim=1))


def test_of_a_zero_map_the_change_itself_is_given() -> None:
    grey = torch.full((1, 1, 2, 2), 0.5)
    found = max_sensitivity(lambda images: (images != 0.5).float(), grey)
    assert found.item() == pytest.approx(2)  # four pixels from 0 to 1


def test_it_equals_captums_for_the_same_noise() -> None:
    network, images, samples = random_convnet(3), random_images(2, 3), 6
    noise = 0.05 * (2 * torch.rand(samples, *images.shape[1:], generator=torch.Generator().manual_seed(0)) - 1)

    def shake(repeated: Tensor) -> Tensor:
        return repeated + noise.double().repeat(3, 1, 1, 1)  # captum repeats each image for all its samples

    def explain(shown: Tensor | tuple[Tensor], target: Tensor) -> tuple[Tensor]:
        return (input_gradient(network, shown[0] if isinstance(shown, tuple) else shown, target).map,)

    expected = sensitivity_max(explain, images, shake, n_perturb_samples=samples, target=TARGET)
    found = max_sensitivity(lambda images: explain(images, TARGET)[0], images, radius=0.05, samples=samples)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_what_needs_no_seed_repeats_wholly() -> None:
    network = random_convnet(3)
    found = repeatability(lambda images, seed: input_gradient(network, images, TARGET).map, random_images(2, 3))
    assert found.spearman_least.tolist() == pytest.approx([1, 1, 1])
    assert found.ssim_least.tolist() == pytest.approx([1, 1, 1])


def test_the_seeds_that_follow_are_compared_with_the_first() -> None:
    ramp = torch.arange(4.0).view(1, 1, 2, 2)
    found = repeatability(lambda images, seed: ramp if seed < 11 else -ramp, ramp, repeats=2, seed=9)
    assert found.spearman_mean.item() == pytest.approx(0)  # 1 of seed 10, -1 of seed 11
    assert found.spearman_least.item() == pytest.approx(-1)


def test_repeats_see_noise_of_the_size_asked_for() -> None:
    seen = []

    def explain(shown: Tensor) -> Tensor:
        seen.append(shown)
        return shown

    images = random_images(2, 3)
    repeatability(lambda shown, seed: explain(shown), images, repeats=3, noise_rms=0.01)
    assert torch.equal(seen[0], images)
    for shown in seen[1:]:
        assert (shown - images).square().mean((1, 2, 3)).sqrt().tolist() == pytest.approx([0.01] * 3)
    assert not torch.equal(seen[1], seen[2])


def test_more_samples_of_smoothgrad_repeat_better() -> None:
    network, images = random_convnet(3), random_images(2, 3, height=8, width=8)

    def repeats(samples: int) -> Tensor:
        def explain(shown: Tensor, seed: int) -> Tensor:
            return smoothgrad(network, shown, TARGET, SmoothGradOptions(samples=samples, seed=seed)).map

        return repeatability(explain, images).spearman_mean.mean()

    assert repeats(100) > repeats(2)
