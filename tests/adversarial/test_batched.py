"""Tensors that have one entry a row are picked and joined together, nested ones too."""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.adversarial.batched import Batched


@dataclass(frozen=True)
class Inner(Batched):
    """One number a row."""

    number: Tensor


@dataclass(frozen=True)
class Outer(Batched):
    """A picture a row, and what is inside."""

    picture: Tensor
    inner: Inner


def outer(*numbers: int) -> Outer:
    return Outer(torch.tensor([[n, n] for n in numbers]), Inner(torch.tensor(numbers)))


def test_rows_are_picked_in_the_order_asked_for() -> None:
    picked = outer(1, 2, 3)[torch.tensor([2, 0])]
    assert picked.picture.tolist() == [[3, 3], [1, 1]]
    assert picked.inner.number.tolist() == [3, 1]
    assert len(picked) == 2


def test_rows_are_written_where_they_belong() -> None:
    rows = outer(1, 2, 3)
    rows[torch.tensor([2, 0])] = outer(8, 9)
    assert rows.picture.tolist() == [[9, 9], [2, 2], [8, 8]]
    assert rows.inner.number.tolist() == [9, 2, 8]


def test_parts_are_joined_in_their_order() -> None:
    joined = Outer.joined([outer(3), outer(1, 2)])
    assert joined.picture.tolist() == [[3, 3], [1, 1], [2, 2]]
    assert joined.inner.number.tolist() == [3, 1, 2]


def test_all_of_it_moves() -> None:
    moved = outer(1).to(torch.device("meta"))
    assert moved.picture.is_meta
    assert moved.inner.number.is_meta
