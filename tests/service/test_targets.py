"""Which classes are explained."""

import pytest
import torch

from app.errors import OptionError
from app.service.targets import check_rival, check_targets, choose_rival, choose_targets

CLASSES = ("cat", "dog", "ship", "7")
LOGITS = torch.tensor([0.5, 2.0, 1.0, -1.0])  # dog, then ship, cat, 7


def test_predicted_and_runner_up_are_the_two_largest_logits() -> None:
    assert choose_targets(("predicted", "runner_up"), CLASSES, LOGITS) == ([1, 2], ["predicted", "runner_up"])


def test_a_name_an_id_and_all_keep_their_order_and_come_once() -> None:
    ids, roles = choose_targets(("cat", "2", "all"), CLASSES, LOGITS)
    assert ids == [0, 2, 1, 3]
    assert roles == ["named", "runner_up", "predicted", "named"]


def test_a_class_named_like_a_number_is_found_by_its_name() -> None:
    assert choose_targets(("7",), CLASSES, LOGITS)[0] == [3]


@pytest.mark.parametrize("word", ["cta", "4", "-1", "", "²", "9" * 400])
def test_what_is_no_class_is_an_error_that_says_what_would_be(word: str) -> None:
    with pytest.raises(OptionError, match=r"is no class of this model; give a name such as cat"):
        choose_targets((word,), CLASSES, LOGITS)


@pytest.mark.parametrize(("asked", "rival"), [("predicted", 1), ("runner_up", 2), ("cat", 0), ("3", 3)])
def test_a_rival_is_one_class(asked: str, rival: int) -> None:
    assert choose_rival(asked, CLASSES, LOGITS) == rival


def test_a_rival_that_is_no_class_or_all_of_them_is_an_error() -> None:
    for word in ("all", "bird"):
        with pytest.raises(OptionError, match=f"against '{word}' is no class .* or predicted, runner_up"):
            check_rival(word, CLASSES)


def test_rows_are_counted_before_anything_is_computed() -> None:
    assert check_targets(("predicted", "all"), CLASSES) == 4
    with pytest.raises(OptionError):
        check_targets(("bird",), CLASSES)
