"""Augmentation against plain loops."""

import pytest
import torch

from app.training.augment import augment, random_aspect
from tests.reference import plain_shift_and_mirror, plain_window


def test_augmentation_is_a_shift_and_a_mirror_with_repeated_edges() -> None:
    images = torch.randint(0, 256, (60, 2, 4, 5), generator=torch.Generator().manual_seed(0)).to(torch.uint8)

    augmented = augment(images, 1, torch.Generator().manual_seed(1))

    seen = set()
    ways = [(top, left, mirrored) for top in (-1, 0, 1) for left in (-1, 0, 1) for mirrored in (False, True)]
    for image, after in zip(images, augmented, strict=True):
        equal = [
            (top, left, mirrored)
            for top, left, mirrored in ways
            if torch.equal(after, plain_shift_and_mirror(image, top, left, mirrored=mirrored))
        ]
        assert len(equal) == 1
        seen.update(equal)
    assert {way[0] for way in seen} == {way[1] for way in seen} == {-1, 0, 1}
    assert {way[2] for way in seen} == {False, True}
    assert augmented.dtype == images.dtype


def test_without_padding_images_are_mirrored_or_left_alone() -> None:
    images = torch.arange(40 * 12).view(40, 1, 3, 4)
    augmented = augment(images, 0, torch.Generator().manual_seed(2))
    mirrored = [bool((after != image).any()) for image, after in zip(images, augmented, strict=True)]
    for image, after, turned in zip(images, augmented, mirrored, strict=True):
        assert torch.equal(after, image.flip(2) if turned else image)
    assert 10 < sum(mirrored) < 30


def noise(count: int = 40) -> torch.Tensor:
    return torch.randint(0, 256, (count, 2, 6, 9), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


def test_random_aspect_is_a_drawn_window_enlarged() -> None:
    images = noise()
    changed = random_aspect(images.double(), 1.5, torch.Generator().manual_seed(1))
    again = torch.Generator().manual_seed(1)
    ratios = (1.5 ** (2 * torch.rand(40, generator=again) - 1)).tolist()
    places = torch.rand(40, generator=again).tolist()
    for image, after, ratio, place in zip(images, changed, ratios, places, strict=True):
        height, width = 6 * min(1.0, ratio), 9 * min(1.0, 1 / ratio)
        expected = plain_window(image.double(), place * (6 - height), place * (9 - width), height, width)
        assert torch.allclose(after, expected, atol=1e-3)


def test_random_aspect_goes_both_ways_up_to_its_ratio() -> None:
    """On a slope of 1 a pixel, a window's levels say how wide and how high it was."""
    slope = torch.arange(101.0).expand(500, 1, 101, 101)
    random = torch.Generator().manual_seed(2)
    wide = random_aspect(slope, 2.0, random)[:, 0, 50]
    seen = (wide[:, 70] - wide[:, 30]) / 40  # of the width: 1 where the image was made higher instead
    assert 0.45 < float((seen < 0.999).float().mean()) < 0.55
    assert 0.5 <= float(seen.min()) < 0.51
    assert float(seen[seen < 0.999].log().mean()) == pytest.approx(-torch.tensor(2.0).log().item() / 2, abs=0.04)


def test_random_aspect_keeps_a_flat_image_flat_and_its_type() -> None:
    flat = torch.full((8, 3, 5, 5), 77, dtype=torch.uint8)
    assert torch.equal(random_aspect(flat, 1.3, torch.Generator().manual_seed(3)), flat)


def test_random_aspect_of_bytes_is_that_of_numbers_rounded() -> None:
    images = noise()
    whole = random_aspect(images, 1.4, torch.Generator().manual_seed(4))
    exact = random_aspect(images.float(), 1.4, torch.Generator().manual_seed(4))
    assert whole.dtype == torch.uint8
    assert torch.equal(whole.float(), exact.round())


def test_a_ratio_of_one_draws_nothing() -> None:
    random = torch.Generator().manual_seed(5)
    before = random.get_state()
    images = noise()
    assert random_aspect(images, 1.0, random) is images
    assert torch.equal(random.get_state(), before)


@pytest.mark.parametrize("ratio", [0.9, 0.0, float("nan"), float("inf")])
def test_a_ratio_below_one_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match="must be 1 or more"):
        random_aspect(noise(), ratio, torch.Generator())
