"""The corners of accuracy against size, worked out by hand."""

import torch

from app.training.measures.plot import staircase


def test_accuracy_begins_at_what_is_right_and_falls_at_each_size() -> None:
    """Of four images one is misclassified, and one never flipped up to 0.4."""
    sizes, accuracy = staircase(torch.tensor([0.1, 0.0, torch.inf, 0.2]), torch.tensor([0.1, 0.0, 0.4, 0.3]))
    torch.testing.assert_close(sizes, torch.tensor([0, 0.1, 0.2, 0.4], dtype=torch.float64))
    assert accuracy.tolist() == [0.75, 0.5, 0.25, 0.0]
