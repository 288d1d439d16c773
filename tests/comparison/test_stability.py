"""Sensitivity and repeatability of maps that change by a known amount, and captum's own sensitivity."""

import pytest
import torch
from captum.metrics import sensitivity_max  # type: ignore[import-untyped]  # it ships no types
from torch import Tensor

from app.comparison.gradients import input_gradient
from app.comparison.stability import (
    StabilityOptions,
    max_sensitivity,
    repeatability,
    stability,
    with_gaussian_noise,
    with_uniform_noise,
)
from app.errors import OptionError
from tests.adversarial.tiny import random_convnet, random_images

TARGET = torch.tensor([2, 0, 1])


def test_a_constant_explanation_is_not_sensitive() -> None:
    images = random_images(1, 2)
    assert stability(lambda shown, target: torch.ones_like(shown), images, TARGET[:2]).max_sensitivity.tolist() == [
        0,
        0,
    ]


def test_where_the_map_is_the_image_it_is_the_largest_noise_over_the_image() -> None:
    images = random_images(1, 2)
    noise = 0.1 * (2 * torch.rand(4, 1, *images.shape[1:], generator=torch.Generator().manual_seed(7)) - 1).double()
    options = StabilityOptions(radius=0.1, samples=4, seed=7)
    found = stability(lambda shown, target: shown, images, TARGET[:2], options)
    largest = noise.flatten(1).norm(dim=1).max()
    torch.testing.assert_close(found.max_sensitivity, largest / images.flatten(1).norm(dim=1))


def test_of_a_zero_map_the_change_itself_is_given() -> None:
    nothing = torch.zeros(1, 1, 2, 2)
    assert max_sensitivity(nothing, torch.stack([nothing, nothing + 1])).item() == pytest.approx(2)  # four pixels


def test_it_equals_captums_for_the_same_noise() -> None:
    network, images, options = random_convnet(3), random_images(2, 3), StabilityOptions(radius=0.05, samples=6)
    noise = with_uniform_noise(torch.zeros_like(images[:1]), 0.05, 6, 0)[:, 0]

    def shake(repeated: Tensor) -> Tensor:
        return repeated + noise.repeat(3, 1, 1, 1)  # captum repeats each image for all its samples

    def explain(shown: Tensor | tuple[Tensor], target: Tensor) -> tuple[Tensor]:
        return (input_gradient(network, shown[0] if isinstance(shown, tuple) else shown, target).map,)

    expected = sensitivity_max(explain, images, shake, n_perturb_samples=6, target=TARGET)
    found = stability(lambda shown, target: explain(shown, target)[0], images, TARGET, options)
    torch.testing.assert_close(found.max_sensitivity, expected, rtol=1e-4, atol=1e-4)


def test_each_map_is_of_its_own_images_target() -> None:
    network, images, options = random_convnet(3), random_images(2, 3), StabilityOptions(samples=3, repeats=2)

    def explain(shown: Tensor, target: Tensor) -> Tensor:
        return input_gradient(network, shown, target).map

    together = stability(explain, images, TARGET, options)
    for row in range(3):
        alone = stability(explain, images[row : row + 1], TARGET[row : row + 1], options)
        torch.testing.assert_close(together.max_sensitivity[row : row + 1], alone.max_sensitivity)
        torch.testing.assert_close(together.repeatability.ssim_least[row : row + 1], alone.repeatability.ssim_least)


def test_what_does_not_change_repeats_wholly() -> None:
    ramp = torch.arange(4.0).view(1, 1, 2, 2)
    found = repeatability(ramp, torch.stack([ramp, ramp]))
    assert [found.spearman_least.item(), found.ssim_least.item()] == pytest.approx([1, 1])


def test_repeats_are_compared_with_the_first() -> None:
    ramp = torch.arange(4.0).view(1, 1, 2, 2)
    found = repeatability(ramp, torch.stack([ramp, -ramp]))
    assert found.spearman_mean.item() == pytest.approx(0)  # 1 of one, -1 of the other
    assert found.spearman_least.item() == pytest.approx(-1)


def test_gaussian_noise_is_of_the_size_asked_for_and_drawn_anew_each_time() -> None:
    images = random_images(2, 3)
    noise = with_gaussian_noise(images, 0.01, 4, seed=3) - images
    assert noise.square().mean((2, 3, 4)).sqrt().flatten().tolist() == pytest.approx([0.01] * 12)
    torch.testing.assert_close(noise[:, 0], noise[:, 2])  # the same for every image
    assert not torch.allclose(noise[0], noise[1])


def test_uniform_noise_fills_the_radius_and_does_not_leave_it() -> None:
    noise = with_uniform_noise(torch.zeros(2, 3, 20, 20), 0.02, 10, seed=1)
    assert noise.shape == (10, 2, 3, 20, 20)
    assert 0.0199 < noise.abs().max() <= 0.02
    assert noise.mean().item() == pytest.approx(0, abs=3e-4)


def test_as_many_maps_are_made_as_are_said() -> None:
    shown: list[int] = []

    def explain(images: Tensor, target: Tensor) -> Tensor:
        shown.append(len(images))
        assert len(target) == len(images)
        return images

    options = StabilityOptions(samples=3, repeats=2)
    stability(explain, random_images(1, 2), TARGET[:2], options)
    assert shown == [2 * options.maps]


def test_no_noisy_image_at_all_is_refused() -> None:
    with pytest.raises(OptionError, match="samples is 0; it must be a number of noisy images"):
        StabilityOptions(samples=0)
