"""Halving what fails: who is at fault fails alone, and what fits is learnt."""

from collections.abc import Sequence

import pytest
import torch

from app.engine.split import in_parts, is_out_of_memory


def test_what_works_is_done_at_once() -> None:
    done: list[list[int]] = []
    assert in_parts(range(5), lambda part: done.append(list(part))) == ({}, None)
    assert done == [[0, 1, 2, 3, 4]]


def test_one_at_fault_fails_alone() -> None:
    done: list[int] = []

    def work(part: Sequence[int]) -> None:
        if 5 in part:
            raise ValueError("five")
        done.extend(part)

    failures, fitted = in_parts(range(8), work)
    assert {row: str(error) for row, error in failures.items()} == {5: "five"}
    assert sorted(done) == [0, 1, 2, 3, 4, 6, 7]
    assert fitted is None


def test_what_does_not_fit_is_done_in_parts_that_do() -> None:
    done: list[int] = []

    def work(part: Sequence[int]) -> None:
        if len(part) > 3:
            raise torch.OutOfMemoryError("too many")
        done.extend(part)

    assert in_parts(range(10), work) == ({}, 3)
    assert sorted(done) == list(range(10))


def test_a_row_that_does_not_fit_by_itself_fails() -> None:
    def work(_: Sequence[int]) -> None:
        raise MemoryError

    failures, fitted = in_parts([1, 2], work)
    assert set(failures) == {1, 2}
    assert fitted == 0


def test_a_failure_keeps_nothing_of_the_attempt_in_memory() -> None:
    def work(_: Sequence[int]) -> None:
        raise torch.OutOfMemoryError("too many")

    failures, _ = in_parts([1], work)
    assert failures[1].__traceback__ is None


def test_torch_says_on_a_cpu_that_memory_did_not_suffice() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 55)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))
