"""Aims climb what the drives climb, row by row."""

import pytest
import torch

from app.adversarial.aims import Aims, drive
from app.adversarial.drives import Drive, cross_entropy, margin

LOGITS = torch.tensor([[2.0, -1.0, 0.5, 0.0], [0.0, 0.0, 0.0, 0.0], [-3.0, 4.0, 3.5, 4.0]])
LABEL = torch.tensor([0, 1, 2])


@pytest.mark.parametrize("chosen", [cross_entropy, margin])
def test_aims_of_a_drive_equal_it_to_the_last_bit(chosen: Drive) -> None:
    assert torch.equal(drive(LOGITS, Aims.of_drive(chosen, LABEL, classes=4)), chosen(LOGITS, LABEL))


@pytest.mark.parametrize("chosen", [cross_entropy, margin])
def test_aims_of_a_drive_have_its_gradient_to_the_last_bit(chosen: Drive) -> None:
    leaf = LOGITS.clone().requires_grad_()
    (expected,) = torch.autograd.grad(chosen(leaf, LABEL).sum(), leaf)
    (slope,) = torch.autograd.grad(drive(leaf, Aims.of_drive(chosen, LABEL, classes=4)).sum(), leaf)
    assert torch.equal(slope, expected)


def test_rows_of_both_drives_stand_side_by_side() -> None:
    aims = Aims.joined(
        [Aims.of_drive(cross_entropy, LABEL[:2], classes=4), Aims.of_drive(margin, LABEL[2:], classes=4)]
    )
    expected = torch.cat([cross_entropy(LOGITS[:2], LABEL[:2]), margin(LOGITS[2:], LABEL[2:])])
    assert torch.equal(drive(LOGITS, aims), expected)


def test_a_contrast_compares_with_its_one_rival() -> None:
    rivals = torch.tensor([[False, False, False, True]])
    aims = Aims(torch.tensor([0]), torch.tensor([True]), rivals)
    assert drive(LOGITS[:1], aims).tolist() == [0.0 - 2.0]


def test_a_row_of_cross_entropy_needs_no_rivals() -> None:
    leaf = LOGITS.clone().requires_grad_()
    aims = Aims(LABEL, torch.zeros(3, dtype=torch.bool), torch.zeros(3, 4, dtype=torch.bool))
    (slope,) = torch.autograd.grad(drive(leaf, aims).sum(), leaf)
    torch.testing.assert_close(slope, LOGITS.softmax(1) - torch.eye(4)[:3])


def test_the_rows_asked_for_come_in_the_order_asked() -> None:
    aims = Aims.alike(LABEL, margin=True, classes=4)[torch.tensor([2, 0])]
    assert len(aims) == 2
    assert aims.label.tolist() == [2, 0]
    assert aims.rivals.tolist() == [[True, True, False, True], [False, True, True, True]]


def test_another_drive_is_refused() -> None:
    with pytest.raises(ValueError, match="neither cross_entropy nor margin"):
        Aims.of_drive(lambda logits, label: logits.sum(1), LABEL, classes=4)
