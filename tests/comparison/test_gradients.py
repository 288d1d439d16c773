"""Gradient methods on networks whose gradients are known."""

import pytest
import torch

from app.comparison.attribution import IntegratedGradientsOptions, SmoothGradOptions
from app.comparison.gradients import input_gradient, integrated_gradients, smoothgrad
from app.errors import OptionError
from tests.adversarial.tiny import random_convnet, random_images
from tests.comparison.networks import Squares, planes

TARGET = torch.tensor([2, 0, 1])


def test_the_gradient_of_planes_is_their_weight_with_its_sign() -> None:
    network = planes()
    found = input_gradient(network, random_images(1, 3, height=6, width=5), TARGET)
    torch.testing.assert_close(found.map, network.weight[TARGET].float())
    assert found.map.min() < 0 < found.map.max()


def test_integrated_gradients_of_planes_is_weight_times_distance_from_the_baseline() -> None:
    network, images = planes(), random_images(1, 3, height=6, width=5)
    found = integrated_gradients(network, images, TARGET, IntegratedGradientsOptions(steps=3, baseline=0.25))
    torch.testing.assert_close(found.map, (network.weight[TARGET] * (images - 0.25)).float())


@pytest.mark.parametrize("rows_at_once", [1, 7, 1000])
def test_integrated_gradients_sum_to_what_the_logit_gained_however_they_are_batched(rows_at_once: int) -> None:
    network, images = random_convnet(3), random_images(2, 3)
    found = integrated_gradients(network, images, TARGET, rows_at_once=rows_at_once)
    row = torch.arange(3)
    gained = network(images)[row, TARGET] - network(torch.zeros_like(images))[row, TARGET]
    torch.testing.assert_close(found.map.flatten(1).sum(1), gained.float(), rtol=1e-3, atol=1e-4)


def test_smoothgrad_of_squares_is_the_image_and_the_mean_of_its_noise() -> None:
    images = random_images(4, 2)
    images[1] /= 2  # half the range, so half the noise
    found = smoothgrad(Squares(), images, torch.tensor([1, 1]), SmoothGradOptions(samples=5, sigma=0.2, seed=8))
    noise = torch.randn(5, *images.shape[1:], generator=torch.Generator().manual_seed(8)).double().mean(0)
    for image, map_ in zip(images, found.map, strict=True):
        torch.testing.assert_close(map_, (image + 0.2 * (image.max() - image.min()) * noise).float())


def test_smoothgrad_is_the_same_in_any_company_and_batch() -> None:
    network, images = random_convnet(3), random_images(2, 3)
    together = smoothgrad(network, images, TARGET, SmoothGradOptions(samples=9)).map
    alone = smoothgrad(network, images[1:2], TARGET[1:2], SmoothGradOptions(samples=9), rows_at_once=2).map
    torch.testing.assert_close(alone, together[1:2])


def test_another_seed_is_other_noise() -> None:
    network, images = random_convnet(3), random_images(2, 3)
    one, other = (smoothgrad(network, images, TARGET, SmoothGradOptions(seed=seed)).map for seed in (0, 1))
    assert not torch.equal(one, other)


def test_the_process_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    smoothgrad(random_convnet(3), random_images(2, 3), TARGET)
    torch.manual_seed(5)
    assert torch.equal(torch.get_rng_state(), before)


def test_options_out_of_range_are_refused() -> None:
    with pytest.raises(OptionError, match="steps is 0; it must be a number of points on the way, from 1"):
        IntegratedGradientsOptions(steps=0)
    with pytest.raises(OptionError, match="samples is 0"):
        SmoothGradOptions(samples=0)
    with pytest.raises(OptionError, match="sigma is nan"):
        SmoothGradOptions(sigma=float("nan"))
