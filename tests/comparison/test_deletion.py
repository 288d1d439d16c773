"""Deletion and insertion of pixels on networks whose probabilities are known, and against a plain loop."""

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.comparison.deletion import DeletionOptions, blurred, deletion_insertion, edges, importance_of
from app.errors import OptionError
from tests.adversarial.tiny import random_convnet, random_images

TARGET = torch.tensor([1])
ZERO = DeletionOptions(steps=16, inserted_into="zero")


def corner(images: Tensor) -> Tensor:
    """The second class is as probable as the first pixel is light."""
    light = images[:, 0, 0, 0]
    return torch.stack([1 - light, light], 1).log()


def mean_level(images: Tensor) -> Tensor:
    """The second class is as probable as the image is light."""
    light = images.mean((1, 2, 3))
    return torch.stack([1 - light, light], 1).log()


WHITE = torch.ones(1, 1, 4, 4, dtype=torch.float64)
FORWARDS = torch.arange(16.0, 0.0, -1.0).view(1, 1, 4, 4)


def test_the_only_pixel_that_counts_goes_and_comes_first() -> None:
    found = deletion_insertion(corner, WHITE, TARGET, FORWARDS, ZERO)
    assert found.deletion.explanations.item() == pytest.approx(1 / 32)  # from 1 to 0 within the first of 16 steps
    assert found.insertion.explanations.item() == pytest.approx(31 / 32)


def test_the_only_pixel_that_counts_goes_and_comes_last() -> None:
    found = deletion_insertion(corner, WHITE, TARGET, -FORWARDS, ZERO)
    assert found.deletion.explanations.item() == pytest.approx(31 / 32)
    assert found.insertion.explanations.item() == pytest.approx(1 / 32)


def test_where_all_pixels_count_alike_every_order_is_worth_a_half() -> None:
    found = deletion_insertion(mean_level, WHITE, TARGET, FORWARDS, ZERO)
    for areas in (found.deletion, found.insertion):
        assert [areas.explanations.item(), areas.random.item(), areas.edges.item()] == pytest.approx([0.5] * 3)


def test_an_explanation_stands_beside_edges_and_the_mean_of_random_orders() -> None:
    options = DeletionOptions(steps=16, random_orders=2, seed=4)
    images = random_images(1, 1, channels=1, height=4, width=4)
    found = deletion_insertion(corner, images, TARGET, FORWARDS, options).deletion
    alone = deletion_insertion(corner, images, TARGET, edges(images)[None], options).deletion.explanations[0]
    drawn = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(4))
    random = deletion_insertion(corner, images, TARGET, drawn, options).deletion.explanations
    torch.testing.assert_close(found.edges, alone)
    torch.testing.assert_close(found.random, random.mean(0))


def test_several_methods_have_the_areas_that_each_has_alone() -> None:
    images, importance = random_images(1, 3, channels=1, height=4, width=4), random_images(5, 6, channels=1)[:, 0]
    importance = importance[..., :4, :4].reshape(2, 3, 4, 4)
    target = torch.tensor([1, 0, 1])
    both = deletion_insertion(corner, images, target, importance, ZERO)
    for method in range(2):
        alone = deletion_insertion(corner, images, target, importance[method : method + 1], ZERO)
        assert torch.equal(both.deletion.explanations[method], alone.deletion.explanations[0])
        assert torch.equal(both.insertion.explanations[method], alone.insertion.explanations[0])
        assert torch.equal(both.deletion.random, alone.deletion.random)


def plain_area(network: nn.Module, begin: Tensor, end: Tensor, target: int, importance: Tensor, steps: int) -> float:
    """One picture after the other, pixel by pixel."""
    width, count = begin.shape[2], begin.shape[1] * begin.shape[2]
    order = sorted(range(count), key=lambda pixel: -float(importance.flatten()[pixel]))
    shares, curve = [], []
    for step in range(steps + 1):
        taken = round(count * step / steps)
        picture = begin.clone()
        for pixel in order[:taken]:
            picture[:, pixel // width, pixel % width] = end[:, pixel // width, pixel % width]
        shares.append(taken / count)
        curve.append(float(network(picture[None]).softmax(1)[0, target]))
    return float(np.trapezoid(curve, shares))


@pytest.mark.parametrize("rows_at_once", [1, 6, 100])
def test_both_areas_equal_the_plain_loop_however_they_are_batched(rows_at_once: int) -> None:
    network, images, target = random_convnet(5), random_images(6, 3), torch.tensor([3, 0, 1])
    importance = random_images(7, 3, channels=1)[:, 0]
    found = deletion_insertion(network, images, target, importance[None], DeletionOptions(7), rows_at_once=rows_at_once)
    soft = blurred(images)
    for i in range(3):
        black = torch.zeros_like(images[i])
        away = plain_area(network, images[i], black, int(target[i]), importance[i], 7)
        back = plain_area(network, soft[i], images[i], int(target[i]), importance[i], 7)
        assert found.deletion.explanations[0, i].item() == pytest.approx(away)
        assert found.insertion.explanations[0, i].item() == pytest.approx(back)


def test_the_passes_said_are_the_passes_made() -> None:
    rows = []

    def counted(images: Tensor) -> Tensor:
        rows.append(len(images))
        return mean_level(images)

    assert deletion_insertion(counted, WHITE, TARGET, FORWARDS).forward_passes == sum(rows) == 2 * 5 * 33


def test_a_step_has_edges_on_both_its_sides_alone() -> None:
    image = torch.zeros(1, 3, 4, 6)
    image[..., 3:] = 1.0
    assert edges(image)[0].tolist() == [[0, 0, 4, 4, 0, 0]] * 4


def test_edges_equal_scipys() -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    grey = random_images(2, 1, channels=1, height=7, width=6)
    down, across = (ndimage.sobel(grey[0, 0].numpy(), axis=axis, mode="nearest") for axis in (0, 1))
    torch.testing.assert_close(edges(grey)[0], torch.from_numpy(np.hypot(down, across)))


def test_a_blurred_constant_stays_and_a_blurred_dot_is_spread() -> None:
    dot = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    dot[0, 0, 10, 10] = 1.0
    assert torch.allclose(blurred(torch.full_like(dot, 0.3)), torch.full_like(dot, 0.3))
    assert blurred(dot).sum().item() == pytest.approx(1)
    assert blurred(dot).max().item() < 0.02


def test_importance_keeps_the_sign_or_takes_the_strength() -> None:
    maps = torch.tensor([[[[3.0, -1.0]], [[-4.0, -1.0]]]])
    assert importance_of(maps, "signed").tolist() == [[[-0.5, -1.0]]]
    assert importance_of(maps, "magnitude")[0, 0].tolist() == pytest.approx([12.5**0.5, 1.0])


def test_a_curve_without_points_is_refused() -> None:
    with pytest.raises(OptionError, match="steps is 0; it must be a number of points of a curve"):
        DeletionOptions(steps=0)


def test_both_areas_equal_those_of_quantus_curves() -> None:
    """Of a grey image: quantus orders the values of each colour apart. Its curves lack the first point."""
    quantus = pytest.importorskip("quantus", reason="quantus is not installed: pip install quantus")
    network, importance = random_convnet(5, channels=1), random_images(7, 2, channels=1)[:, 0]
    images, target = random_images(6, 2, channels=1), torch.tensor([3, 1])
    steps = images[0].numel() // 2
    found = deletion_insertion(network, images, target, importance[None], DeletionOptions(steps))

    def areas(begin: Tensor, end: Tensor) -> list[float]:
        def put(arr: Any, indices: Any, **_: object) -> Any:
            changed = arr.copy()
            rows = np.arange(len(arr))[:, None]
            changed[rows, indices] = end.flatten(1).numpy()[rows, indices]
            return changed

        metric = quantus.PixelFlipping(features_in_step=2, perturb_func=put, normalise=False, disable_warnings=True)
        curves = metric(
            model=copy.deepcopy(network).float().eval(), x_batch=begin.numpy(), y_batch=target.numpy(),
            a_batch=importance[:, None].numpy(), device="cpu", softmax=True,
        )  # fmt: skip
        first = network(begin).softmax(1).gather(1, target[:, None])
        whole = torch.cat([first, torch.tensor(curves, dtype=torch.float64)], 1)
        return torch.trapezoid(whole, dx=1 / steps).tolist()

    with torch.no_grad():
        assert areas(images, torch.zeros_like(images)) == pytest.approx(
            found.deletion.explanations[0].tolist(), abs=1e-4
        )
        assert areas(blurred(images), images) == pytest.approx(found.insertion.explanations[0].tolist(), abs=1e-4)
