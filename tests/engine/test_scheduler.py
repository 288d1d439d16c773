"""What each step is made of, by a fake device: rows are names, and a step counts them."""

from collections import Counter
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.engine.scheduler import LOOKS_IN_A_ROW, Kind, Scheduler, Step

Name = tuple[str, int]
"""A row: its owner, and which of the owner's it is."""


@dataclass
class Fake:
    """A device that takes a moment for nothing: it counts down each row's passes and removes those that are done."""

    most_rows: int
    scheduler: Scheduler[Name, str] = field(default_factory=Scheduler)
    left: dict[Name, int] = field(default_factory=dict)
    made: Counter[Name] = field(default_factory=Counter)
    steps: list[Step[Name, str]] = field(default_factory=list)

    def ask(
        self, owner: str, rows: int, passes: int, kind: Kind = "climb", model: str = "m", cost: float = 1.0
    ) -> list[Name]:
        first = sum(name[0] == owner for name in [*self.left, *self.made])
        names = [(owner, first + number) for number in range(rows)]
        for name in names:
            self.left[name] = passes
            self.scheduler.add(name, owner=owner, kind=kind, model=model, cost=cost)
        return names

    def cancel(self, owner: str) -> None:
        for name in [name for name in self.left if name[0] == owner]:
            del self.left[name]
            self.scheduler.remove(name)

    def cut(self, owner: str, model: str = "m") -> None:
        """End the climbs of an owner, with a look at each of its rows."""
        for name in [name for name in self.left if name[0] == owner]:
            self.left[name] = 1
            self.scheduler.remove(name)
            self.scheduler.add(name, owner=owner, kind="look", model=model, cost=1.0)

    def step(self) -> Step[Name, str] | None:
        step = self.scheduler.next_step(lambda _: self.most_rows)
        if step is not None:
            self.steps.append(step)
            for name in step.rows:
                self.made[name] += 1
                self.left[name] -= 1
                if not self.left[name]:
                    del self.left[name]
                    self.scheduler.remove(name)
        return step

    def run(self, steps: int = 100_000) -> None:
        for _ in range(steps):
            if self.step() is None:
                return


def given_to(fake: Fake, owner: str, since: int = 0) -> int:
    return sum(name[0] == owner for step in fake.steps[since:] for name in step.rows)


def test_no_rows_are_no_step() -> None:
    assert Fake(4).step() is None


def test_rows_of_different_requests_share_a_step_in_the_order_they_came() -> None:
    fake = Fake(8)
    fake.ask("a", rows=2, passes=1)
    fake.ask("b", rows=1, passes=1)
    assert fake.step() == Step("climb", "m", (("a", 0), ("a", 1), ("b", 0)))
    assert fake.step() is None


def test_a_row_joins_at_the_next_step_and_leaves_when_done() -> None:
    fake = Fake(8)
    fake.ask("a", rows=1, passes=3)
    fake.step()
    fake.ask("b", rows=1, passes=1)
    fake.run()
    assert [step.rows for step in fake.steps] == [(("a", 0),), (("a", 0), ("b", 0)), (("a", 0),)]


def test_who_asks_for_many_rows_gets_what_the_others_leave() -> None:
    fake = Fake(8)
    fake.ask("big", rows=100, passes=50)
    small = [f"small{number}" for number in range(3)]
    for name in small:
        fake.ask(name, rows=2, passes=10)
    fake.run(10)
    assert all(given_to(fake, name) == 20 for name in small)
    assert given_to(fake, "big") == 10 * 8 - 3 * 20


def test_a_batch_too_small_for_all_goes_round() -> None:
    fake = Fake(1)
    for name in "abc":
        fake.ask(name, rows=1, passes=2)
    fake.run()
    assert "".join(step.rows[0][0] for step in fake.steps) == "abcabc"


def test_rows_that_began_are_finished_before_others_of_their_owner_begin() -> None:
    fake = Fake(2)
    fake.ask("a", rows=4, passes=3)
    fake.run()
    assert [step.rows for step in fake.steps] == 3 * [(("a", 0), ("a", 1))] + 3 * [(("a", 2), ("a", 3))]


def test_looks_overtake_climbs_but_for_one_after_several() -> None:
    fake = Fake(1)
    fake.ask("explain", rows=1, passes=3)
    fake.ask("predict", rows=10, passes=1, kind="look")
    fake.run()
    kinds = "".join(step.kind[0] for step in fake.steps)
    assert kinds == "llllcllllcllc"


@given(
    rows=st.lists(st.integers(1, 9), min_size=2, max_size=6), most_rows=st.integers(1, 7), cut_after=st.integers(0, 20)
)
@settings(max_examples=50, deadline=None)
def test_rows_cut_short_are_looked_at_once_and_no_neighbour_waits_longer_than_that(
    rows: list[int], most_rows: int, cut_after: int
) -> None:
    fake = Fake(most_rows)
    names = [fake.ask(str(number), rows=count, passes=12) for number, count in enumerate(rows)]
    fake.run(cut_after)
    unfinished = set(fake.left) & set(names[0])
    before = Counter(fake.made)
    fake.cut("0")
    fake.run()
    assert Counter({name: fake.made[name] - before[name] for name in unfinished}) == Counter(unfinished)
    assert all(fake.made[name] == 12 for name in fake.made if name[0] != "0")
    looks = [at for at, step in enumerate(fake.steps) if step.kind == "look"]
    assert len(looks) == -(-len(unfinished) // most_rows)
    assert all(at - cut_after <= number + number // LOOKS_IN_A_ROW for number, at in enumerate(looks))


def test_a_step_is_of_one_model() -> None:
    fake = Fake(8)
    fake.ask("a", rows=2, passes=2, model="one")
    fake.ask("b", rows=2, passes=2, model="two")
    fake.run()
    assert [step.model for step in fake.steps] == ["one", "two", "one", "two"]


def test_a_model_whose_steps_cost_more_gets_fewer_of_them() -> None:
    fake = Fake(1)
    fake.ask("dear", rows=1, passes=1000, model="dear", cost=3.0)
    fake.ask("cheap", rows=1, passes=1000, model="cheap", cost=1.0)
    fake.run(400)
    assert given_to(fake, "cheap") == pytest.approx(3 * given_to(fake, "dear"), abs=3)


def test_a_model_that_more_requests_want_has_more_of_the_device() -> None:
    fake = Fake(8)
    fake.ask("alone", rows=1, passes=1000, model="one")
    for name in "abc":
        fake.ask(name, rows=1, passes=1000, model="two")
    fake.run(400)
    steps = Counter(step.model for step in fake.steps)
    assert steps["one"] == steps["two"] == 200
    assert given_to(fake, "a") == given_to(fake, "alone") == 200


def test_nobody_saves_up_while_all_is_given() -> None:
    """A small request beside a big one waits for nothing, so it earns nothing that a newcomer could inherit."""
    fake = Fake(4)
    fake.ask("small", rows=1, passes=100)
    fake.ask("big", rows=100, passes=100)
    fake.run(50)
    fake.ask("late", rows=100, passes=100)
    fake.run(20)
    assert given_to(fake, "big", since=50) == pytest.approx(given_to(fake, "late"), abs=2)


def test_a_row_is_there_once() -> None:
    fake = Fake(1)
    fake.ask("a", rows=1, passes=1)
    with pytest.raises(ValueError, match="there already"):
        fake.scheduler.add(("a", 0), owner="a", kind="look", model="m", cost=1.0)


def test_removing_a_row_that_is_gone_is_nothing() -> None:
    fake = Fake(1)
    fake.scheduler.remove(("a", 0))
    assert len(fake.scheduler) == 0


requests = st.tuples(
    st.integers(1, 9),  # rows
    st.integers(1, 12),  # passes
    st.sampled_from(["look", "climb"]),
    st.sampled_from(["one", "two"]),
    st.integers(0, 30),  # the step before which it comes
    st.one_of(st.none(), st.integers(0, 40)),  # the step before which it goes away
)


@given(asked=st.lists(requests, max_size=12), most_rows=st.integers(1, 7))
@settings(max_examples=100, deadline=None)
def test_nothing_is_lost_nothing_is_made_twice_and_nobody_waits_for_ever(
    asked: list[tuple[int, int, Kind, str, int, int | None]], most_rows: int
) -> None:
    fake = Fake(most_rows)
    wanted: dict[Name, int] = {}
    gone: set[Name] = set()
    of: dict[Name, tuple[Kind, str]] = {}
    cost_of = {"one": 0.5, "two": 7.0}
    for at in range(2000):
        for number, (rows, passes, kind, model, comes, goes) in enumerate(asked):
            owner = str(number)
            if at == comes:
                for name in fake.ask(owner, rows, passes, kind, model, cost_of[model]):
                    wanted[name], of[name] = passes, (kind, model)
            elif goes is not None and at == goes:
                gone |= {name for name in fake.left if name[0] == owner}
                fake.cancel(owner)
        before = dict(fake.left)
        step = fake.step()
        if step is None:
            assert not fake.left
            if at > 40:  # whoever comes has come
                break
            continue
        assert 1 <= len(step.rows) <= most_rows
        assert len(set(step.rows)) == len(step.rows)
        assert all(name in before and of[name] == (step.kind, step.model) for name in step.rows)
        alike = sum(of[name] == (step.kind, step.model) for name in before)
        assert len(step.rows) == min(most_rows, alike), "a place in the batch is left empty while a row waits"
        if "look" in {of[name][0] for name in before}:
            assert step.kind == "look" or fake.steps[-2].kind == "look", "a climb came before a look out of turn"
        if "climb" in {of[name][0] for name in before}:
            recent = fake.steps[-LOOKS_IN_A_ROW - 1 :]
            assert len(recent) <= LOOKS_IN_A_ROW or step.kind == "climb" or "climb" in {one.kind for one in recent}
    assert not fake.left
    assert {name: fake.made[name] for name in wanted if name not in gone} == {
        name: passes for name, passes in wanted.items() if name not in gone
    }
    assert all(fake.made[name] < wanted[name] for name in gone)


@given(
    rows=st.lists(st.integers(1, 40), min_size=2, max_size=8),
    most_rows=st.integers(1, 16),
    steps=st.integers(1, 60),
)
@settings(max_examples=100, deadline=None)
def test_shares_are_max_min_fair_over_any_time(rows: list[int], most_rows: int, steps: int) -> None:
    """The closed form of fair shares: water filled up to one level, which nobody is below who wants more."""
    fake = Fake(most_rows)
    for number, count in enumerate(rows):
        fake.ask(str(number), rows=count, passes=1000)
    fake.run(steps)
    level = _water_level(rows, most_rows)
    for number, count in enumerate(rows):
        assert given_to(fake, str(number)) >= min(count, level) * steps - 2 * max(1.0, level)


comings = st.tuples(
    st.integers(1, 9),  # rows
    st.integers(1, 12),  # passes of each
    st.integers(0, 15),  # the step before which they come
)


@given(asked=st.lists(comings, min_size=2, max_size=8), most_rows=st.integers(1, 9))
@settings(max_examples=100, deadline=None)
def test_while_an_owner_waits_nobody_is_dealt_more_than_it(asked: list[tuple[int, int, int]], most_rows: int) -> None:
    """Over any run of steps that each leave a row of A waiting, B is dealt at most 2 places more, whoever comes."""
    fake = Fake(most_rows)
    ahead: Counter[tuple[str, str]] = Counter()  # by (A, B): what B was dealt beyond A, in the worst run that ends here
    owners = [str(number) for number in range(len(asked))]
    for at in range(1000):
        for owner, (rows, passes, comes) in zip(owners, asked, strict=True):
            if at == comes:
                fake.ask(owner, rows, passes)
        waiting = set(fake.left)
        step = fake.step()
        if step is None:
            if at > 15:
                break
            continue
        dealt = Counter(name[0] for name in step.rows)
        waits = {name[0] for name in waiting - set(step.rows)}
        for a in owners:
            for b in owners:
                ahead[a, b] = max(0, ahead[a, b]) + dealt[b] - dealt[a] if a in waits else 0
        assert max(ahead.values()) <= 2
    assert not fake.left


def _water_level(wants: list[int], places: int) -> float:
    """The share L with sum of min(want, L) = places, or more than anybody wants."""
    left, level = float(places), 0.0
    for position, want in enumerate(sorted(wants)):
        share = left / (len(wants) - position)
        if want > share:
            return share
        left, level = left - want, float(want)
    return level
