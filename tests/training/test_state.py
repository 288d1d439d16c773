"""A state is of one recipe, and whole, or it is refused by a sentence."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from app.errors import DataError
from app.networks.build import TorchvisionConfig
from app.training.learner import Learner
from app.training.recipe import RECIPES, Recipe
from app.training.state import differences, load_state, save_state
from tests.training.toy import RECIPE


def learner(recipe: Recipe = RECIPE) -> Learner:
    return Learner(recipe, 2, device=torch.device("cpu"))


def test_what_was_saved_is_what_is_loaded(tmp_path: Path) -> None:
    first, second = learner(), learner(replace(RECIPE, seed=5))
    first.pressure = 0.25
    save_state(tmp_path / "state.pt", 7, RECIPE, first)
    assert load_state(tmp_path / "state.pt", RECIPE, second) == 7
    assert second.pressure == 0.25
    theirs = second.network.state_dict()
    assert all(torch.equal(values, theirs[name]) for name, values in first.network.state_dict().items())
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_more_epochs_are_the_same_recipe() -> None:
    assert differences(asdict(RECIPE), RECIPE) == []
    assert differences(asdict(RECIPE), replace(RECIPE, epochs=9)) == []


def test_a_number_that_differs_is_named_with_both_values() -> None:
    assert RECIPE.attack is not None
    now = replace(RECIPE, learning_rate=0.5, attack=replace(RECIPE.attack, steps=9), lipschitz=None)
    assert differences(asdict(RECIPE), now) == [
        "learning_rate was 0.05 and is 0.5",
        "attack.steps was 2 and is 9",
        f"lipschitz was {asdict(RECIPE)['lipschitz']} and is None",
    ]


def test_another_kind_of_network_differs() -> None:
    changed = differences(asdict(RECIPE), replace(RECIPE, network=TorchvisionConfig("resnet18")))
    assert changed[0] == "network.name was not there and is resnet18"


def test_a_state_older_than_a_field_means_its_default() -> None:
    recipe = RECIPES["small-robust"]
    old = {name: value for name, value in asdict(recipe).items() if name not in {"accumulate", "amp", "side"}}
    assert differences(old, recipe) == []
    assert differences(old, replace(recipe, accumulate=2)) == ["accumulate was 1 and is 2"]


def test_another_recipe_is_refused(tmp_path: Path) -> None:
    save_state(tmp_path / "state.pt", 7, RECIPE, learner())
    with pytest.raises(DataError, match=r"of another recipe: batch_size was 16 and is 32\. Resume with the numbers"):
        load_state(tmp_path / "state.pt", replace(RECIPE, batch_size=32), learner())


@pytest.mark.parametrize("content", [b"", b"no state", b"PK\x03\x04 half a zip"])
def test_a_damaged_state_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.pt").write_bytes(content)
    with pytest.raises(DataError, match="damaged, or not the state of such a run"):
        load_state(tmp_path / "state.pt", RECIPE, learner())


def test_half_a_state_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state.pt"
    save_state(path, 7, RECIPE, learner())
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match="damaged"):
        load_state(path, RECIPE, learner())


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"step": 3}, tmp_path / "state.pt")
    with pytest.raises(DataError, match="not the state of such a run"):
        load_state(tmp_path / "state.pt", RECIPE, learner())
