"""The residual network: its shape, its start, and gradients that do not see the batch."""

import pytest
import torch
from torch import nn

from app.networks.resnet import PooledConv2d, ResNet, ResNetConfig, count_parameters, freeze
from tests.networks.small import CONFIG, images, small_network


def test_the_papers_network_has_44_layers_with_weights() -> None:
    network = ResNet(ResNetConfig(classes=10))
    main = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and "shortcut" not in name
    ]
    assert len(main) == 44


def test_parameters_counted_by_hand() -> None:
    network = ResNet(ResNetConfig(classes=2, channels=1, widths=(4,), blocks=(1,), mean=(0.5,), std=(0.5,)))
    stem, block, last = 4 * 1 * 9, 2 * (4 * 4 * 9) + 2 * (2 * 4), 2 * 4 + 4 * 2 + 2
    assert count_parameters(network) == stem + block + last


def test_each_later_group_halves_height_and_width() -> None:
    seen = []
    network = small_network()
    network.blocks.register_forward_hook(lambda _module, _inputs, output: seen.append(output.shape))
    network(images(network))
    assert seen == [(2, 8, 4, 5)]


@pytest.mark.parametrize("downsample", ["stride", "average"])
def test_a_fresh_network_starts_as_its_shortcuts_alone(downsample: str) -> None:
    network = ResNet(ResNetConfig(classes=3, widths=(4,), blocks=(2,), downsample=downsample))  # type: ignore[arg-type]  # parametrized
    freeze(network)
    x = torch.randn(2, 4, 6, 6)
    assert torch.equal(network.blocks(x), x)


def test_any_height_and_width_give_one_row_of_logits_an_image() -> None:
    assert small_network()(torch.rand(5, 3, 17, 9)).shape == (5, 3)


def test_logits_do_not_depend_on_the_rest_of_the_batch() -> None:
    network = small_network()
    batch = images(network, count=4)
    assert torch.allclose(network(batch)[1:2], network(batch[1:2]), atol=1e-6)


def test_freeze_leaves_evaluation_mode_and_no_gradient_on_weights() -> None:
    network = freeze(ResNet(CONFIG).train())
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"widths": (4,)}, "1 widths for 3 groups"),
        ({"activation": "tanh"}, "half_huber, relu, silu"),
        ({"mean": (0.5,)}, "each of 3 channels"),
    ],
)
def test_a_config_that_does_not_hold_says_so(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        ResNetConfig(classes=3, **wrong)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize(("kernel", "pool"), [(3, 1), (5, 2), (3, 4)])
def test_the_stem_is_its_convolution_and_then_its_pooling(kernel: int, pool: int) -> None:
    """At a size that the pool does not divide, too."""
    stem = PooledConv2d(2, 3, kernel, pool)
    images = torch.rand(2, 2, 13, 16, generator=torch.Generator().manual_seed(0))
    apart = nn.functional.avg_pool2d(nn.functional.conv2d(images, stem.weight, padding=kernel // 2), pool)
    torch.testing.assert_close(stem(images), apart, rtol=1e-5, atol=1e-6)
