"""Nearest points of a plane within [0, 1], by hand and by what a nearest point must fulfil."""

import torch
from torch import Tensor

from app.adversarial.planes import into_half_spaces, onto_plane, product
from tests.adversarial.tiny import random_images


def test_nearest_point_by_hand() -> None:
    # To x + y = 1.7 it would be (1.15, 0.55) straight: the first stops at 1 and the second makes up. To 0.4 likewise.
    point, normal = torch.tensor([[[[0.8, 0.2]]]]), torch.ones(1, 1, 1, 2)
    assert torch.allclose(onto_plane(point, normal, torch.tensor([1.7])), torch.tensor([[[[1.0, 0.7]]]]), atol=1e-5)
    assert torch.allclose(onto_plane(point, normal, torch.tensor([0.4])), torch.tensor([[[[0.4, 0.0]]]]), atol=1e-5)


def test_a_plane_out_of_reach_is_approached_as_far_as_pixels_go() -> None:
    point, normal = torch.tensor([[[[0.8, 0.2]]]]), torch.tensor([[[[1.0, -2.0]]]])
    assert torch.equal(onto_plane(point, normal, torch.tensor([3.0])), torch.tensor([[[[1.0, 0.0]]]]))


def test_without_a_normal_nothing_moves() -> None:
    points = random_images(1, 2)
    assert torch.equal(onto_plane(points, torch.zeros_like(points), torch.tensor([1.0, -1.0])), points)


def test_the_point_is_on_the_plane_and_no_exchange_of_pixels_brings_it_nearer() -> None:
    points, normal = random_images(1, 20), random_images(2, 20) - 0.5
    level = product(normal, random_images(3, 20).square())
    found = onto_plane(points, normal, level)
    torch.testing.assert_close(product(normal, found), level, rtol=1e-5, atol=1e-5)
    # Where no pixel is clamped the change is a multiple of the normal; a clamped one would go further that way.
    change = (found - points) / normal
    for row in range(20):
        free = _free(found[row])
        multiple = change[row][free].mean()
        torch.testing.assert_close(change[row][free], multiple.expand(int(free.sum())), rtol=1e-6, atol=1e-9)
        assert bool((change[row][~free].abs() <= multiple.abs() + 1e-9).all())


def _free(point: Tensor) -> Tensor:
    return (point > 0) & (point < 1)


def test_into_half_spaces_by_hand() -> None:
    # From (.5, .95) to where x >= .7 and x - 4 y >= -2.9, which meet at (.7, .9); and without the first, beside it.
    point = torch.tensor([[[[0.5, 0.95]]]])
    normals, levels = torch.tensor([[[[[1.0, 0.0]]], [[[1.0, -4.0]]]]]), torch.tensor([[0.7, -2.9]])
    assert torch.allclose(into_half_spaces(point, normals, levels), torch.tensor([[[[0.7, 0.9]]]]), atol=1e-4)
    alone = point + normals[:, 1] * (0.4 / 17)  # .4 is missing
    assert torch.allclose(into_half_spaces(point, normals[:, 1:], levels[:, 1:]), alone, atol=1e-6)


def test_who_is_within_the_half_spaces_stays() -> None:
    points, normals = random_images(1, 3), random_images(2, 6).view(3, 2, 2, 5, 4)
    assert torch.equal(into_half_spaces(points, normals, torch.zeros(3, 2)), points)


def test_of_one_half_space_it_is_the_plane() -> None:
    points, normal = random_images(1, 20), random_images(2, 20) - 0.5
    level = product(normal, points) + 0.5
    found = into_half_spaces(points, normal[:, None], level[:, None])
    torch.testing.assert_close(found, onto_plane(points, normal, level), atol=1e-6, rtol=1e-6)
