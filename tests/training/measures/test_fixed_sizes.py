"""Robust accuracy against planes at known distances."""

import torch
from torch import Tensor, nn

from app.training.measures.fixed_sizes import ATTACKS, Effort, attack_at_sizes, robust_accuracies

EFFORT = Effort(steps=15, targets=1, queries=5)


class Brightness(nn.Module):
    """Logits (0, mean - 1/2): the smallest change that flips an image is grey, and its RMS is |mean - 1/2|."""

    def forward(self, images: Tensor) -> Tensor:
        lead = images.mean((1, 2, 3)) - 0.5
        return torch.stack([torch.zeros_like(lead), lead], 1)


def test_images_fall_at_the_first_size_beyond_their_distance() -> None:
    distance = torch.tensor([0.005, 0.05, 0.2, -0.1])  # the last is misclassified from the start
    images = (0.5 - distance)[:, None, None, None].expand(-1, 1, 6, 6).clone()
    label = torch.zeros(4, dtype=torch.int64)
    after = attack_at_sizes(Brightness(), images, label, (0.01, 0.1), EFFORT, torch.Generator().manual_seed(0))
    assert after.shape == (4, 2, len(ATTACKS))
    assert after[:, :, -1].tolist() == [[False, False], [True, False], [True, True], [False, False]]


def test_no_attack_puts_an_image_up_again() -> None:
    images = torch.rand(8, 1, 6, 6, generator=torch.Generator().manual_seed(1)) * 0.1 + 0.43
    after = attack_at_sizes(
        Brightness(), images, torch.zeros(8, dtype=torch.int64), (0.01, 0.02, 0.03), EFFORT, torch.Generator()
    )
    in_turn = after.flatten(1).int()
    assert bool((in_turn.diff(dim=1) <= 0).all())


def test_shares_by_hand() -> None:
    after = torch.tensor([[[True, True, True, True]], [[True, True, False, False]]])
    (found,) = robust_accuracies(after, (0.1,), per_rms=2.0)
    assert dict(found.after) == {"apgd_ce": 1.0, "apgd_t": 1.0, "fab": 0.5, "square": 0.5}
    assert (found.rms, found.l2, found.standing.value) == (0.1, 0.2, 0.5)
