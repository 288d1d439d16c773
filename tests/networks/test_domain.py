"""Distances from a model's own images, where they can be worked out by hand, and the file that keeps their numbers."""

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from app.networks.domain import Cloud, Domain, picture_statistics
from tests.networks.small import images, small_network


def vectors(count: int = 500) -> Tensor:
    """Around (3, -1), with deviations 2 and 1 along axes that are turned by 45 degrees."""
    random = torch.Generator().manual_seed(0)
    turned = torch.tensor([[1.0, 1.0], [-1.0, 1.0]]) / 2**0.5
    return torch.randn(count, 2, generator=random) * torch.tensor([2.0, 1.0]) @ turned + torch.tensor([3.0, -1.0])


def test_a_distance_is_measured_in_what_the_vectors_vary_by_along_it() -> None:
    far, wide = torch.tensor([[1.0, 1.0]]), torch.tensor([[-1.0, 1.0]])
    cloud = Cloud.around(vectors(20_000))
    along, across = (float(cloud.distance(cloud.mean + step)) for step in (far, wide))
    # A step of length root 2 is half as many deviations along, and as many across; the mean over two dimensions.
    assert along == pytest.approx(0.5, rel=0.03)
    assert across == pytest.approx(1, rel=0.03)


def test_a_mean_squared_distance_is_about_one() -> None:
    some = vectors()
    assert float(Cloud.around(some).distance(some).square().mean()) == pytest.approx(1, abs=0.05)


def test_units_are_what_was_said_to_be_one() -> None:
    some, cloud = vectors(), Cloud.around(vectors())
    assert torch.allclose(cloud.in_units_of(4).distance(some), cloud.distance(some) / 4)


def test_statistics_of_a_step_are_those_worked_out_by_hand() -> None:
    image = torch.zeros(1, 1, 2, 4)
    image[..., 2:] = 1
    mean, contrast, across, down, *_ = picture_statistics(image)[0].exp().tolist()
    assert mean == pytest.approx(torch.tensor(0.5).exp())
    assert contrast == pytest.approx(0.5 + 1 / 255)
    assert across == pytest.approx((1 / 4 - 1 / 16) ** 0.5 + 1 / 255)  # a difference of 1 at one place in four
    assert down == pytest.approx(1 / 255)


def test_grey_in_three_channels_has_the_least_colour() -> None:
    grey = torch.rand(1, 1, 6, 6).expand(1, 3, 6, 6)
    assert float(picture_statistics(grey)[0, -1].exp()) == pytest.approx(1 / 255, rel=1e-3)


@pytest.fixture(scope="module")
def domain() -> Domain:
    network = small_network()
    return Domain.around(network, [images(network, 40)], [images(network, 40)], usual_share=0.9)


def test_so_many_held_out_images_are_usual_by_either_distance(domain: Domain) -> None:
    for distances in domain.distances(images(small_network(), 40)):
        assert float((distances <= 1).double().mean()) == pytest.approx(0.9, abs=0.03)


def test_a_flat_picture_among_noise_is_far_away(domain: Domain) -> None:
    noise, flat = images(small_network(), 2), torch.full((2, 3, 8, 10), 0.5)
    assert float(domain.scores(flat).min()) > 5 * float(domain.scores(noise).max())


def test_the_same_domain_comes_back_from_its_file(domain: Domain) -> None:
    network = small_network()
    again = Domain.from_file(domain.as_file(), network, images(network, 1))
    assert torch.equal(again.scores(images(network)), domain.scores(images(network)))
    assert again.as_file() == domain.as_file()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda tensors: tensors.pop("picture.root"), "must hold features.mean"),
        (lambda tensors: tensors.update(more=torch.zeros(1)), "and nothing else"),
        (lambda tensors: tensors.update({"features.mean": torch.zeros(9)}), r"of shape \(8,\)"),
        (lambda tensors: tensors["picture.mean"].fill_(torch.nan), "picture.mean must be finite"),
    ],
)
def test_a_file_of_another_network_or_of_nonsense_is_refused(domain: Domain, change: object, sentence: str) -> None:
    tensors = load(domain.as_file())
    change(tensors)  # type: ignore[operator]  # one of the functions above
    with pytest.raises(ValueError, match=sentence):
        Domain.from_file(save(tensors), small_network(), images(small_network(), 1))


def test_what_is_no_safetensors_file_is_refused() -> None:
    with pytest.raises(ValueError, match="not a safetensors file"):
        Domain.from_file(b"no", small_network(), images(small_network(), 1))
