"""Attacks on explanations: where they cannot work, that they work where they can, and what they report."""

import pytest
import torch
from torch import Tensor, nn

from app.adversarial.sizes import rms
from app.comparison.audit import AttackOptions, Audit, Goal, SmoothClimb, audit
from app.comparison.grad_cam import grad_cam
from app.comparison.gradients import input_gradient
from app.comparison.smooth_maps import smooth_grad_cam, smooth_gradient, smooth_shell
from app.networks.resnet import ResNet, ResNetConfig, freeze
from tests.comparison.networks import Squares, planes

OPTIONS = AttackOptions(size_rms=0.05, steps=20, look_every=5)


def pictures(count: int = 4, channels: int = 3, height: int = 8, width: int = 10) -> Tensor:
    random = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, channels, height, width), generator=random) / 255


def rectified(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network = ResNet(ResNetConfig(classes=3, widths=(4, 8), blocks=(1, 1), activation="relu"))
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.3)
    return freeze(network)


def by_gradient(network: nn.Module, images: Tensor, goal: Goal, options: AttackOptions = OPTIONS) -> Audit:
    return audit(
        network,
        lambda shown, target: input_gradient(network, shown, target).map,
        SmoothClimb(network, smooth_gradient(network)),
        images,
        goal,
        options,
    )


def test_the_gradient_of_a_plane_cannot_be_moved() -> None:
    found = by_gradient(planes(), pictures(channels=2, height=6, width=5).double(), "move")
    assert found.found.all()
    assert found.spearman.tolist() == pytest.approx([1.0] * 4)
    assert torch.equal(found.class_after, found.class_before)


@pytest.mark.parametrize("goal", ["move", "keep"])
def test_what_is_found_is_a_picture_within_the_size_whose_class_is_as_the_goal_says(goal: Goal) -> None:
    network, images = rectified(), pictures()
    found = by_gradient(network, images, goal)
    assert found.found.any()
    mine = found[found.found]
    assert torch.allclose(mine.pictures * 255, (mine.pictures * 255).round(), atol=1e-3)
    assert (mine.perturbation_rms <= OPTIONS.size_rms).all()
    assert torch.allclose(mine.perturbation_rms, rms(mine.pictures - images[found.found]))
    assert torch.equal(network(mine.pictures).argmax(1), mine.class_after)
    assert torch.equal(mine.class_after == mine.class_before, torch.full_like(mine.found, goal == "move"))
    assert torch.equal(input_gradient(network, mine.pictures, mine.class_after).map, mine.map_after)


def test_a_map_of_gradients_is_moved_further_than_by_noise_of_the_size() -> None:
    network, images = rectified(), pictures()
    tried, aimed = (
        by_gradient(network, images, "move", AttackOptions(0.05, steps=1, look_every=1)),
        by_gradient(network, images, "move"),
    )
    assert aimed.spearman.mean() < tried.spearman.mean() - 0.1


def test_where_no_class_can_be_changed_nothing_is_found_and_the_image_stays() -> None:
    images = pictures(channels=1, height=3, width=3)
    found = by_gradient(Squares(), images, "keep")  # its second class wins wherever there is light
    assert not found.found.any()
    assert torch.equal(found.pictures, images)
    assert found.perturbation_rms.tolist() == [0.0] * 4


def test_softplus_stands_where_relu_stood_around_the_same_weights() -> None:
    network = rectified()
    shell = smooth_shell(network, sharpness=1000.0)
    assert not any(isinstance(module, nn.ReLU) for module in shell.modules())
    assert any(isinstance(module, nn.ReLU) for module in network.modules())
    assert all(mine is theirs for mine, theirs in zip(network.parameters(), shell.parameters(), strict=True))
    assert torch.allclose(shell(pictures()), network(pictures()), atol=1e-2)


def test_the_differentiable_grad_cam_is_grad_cam() -> None:
    torch.manual_seed(0)
    network = freeze(ResNet(ResNetConfig(classes=3, widths=(4, 8), blocks=(1, 1), activation="silu")))
    images, target = pictures(), torch.tensor([0, 1, 2, 0])
    cam = smooth_grad_cam(network, images[:1])
    assert cam is not None
    smooth = nn.functional.interpolate(cam(images, target), (8, 10), mode="bilinear")
    assert torch.allclose(smooth, grad_cam(network, images, target).map, atol=1e-5)


def test_a_network_without_a_feature_map_has_no_grad_cam_to_attack() -> None:
    assert smooth_grad_cam(planes(), pictures(1, 2, 6, 5).double()) is None
