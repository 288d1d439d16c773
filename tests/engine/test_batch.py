"""The running rows of one model: whatever joins, steps and leaves, each row goes its own way. The step is a fake."""

from dataclasses import dataclass, field

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from app.adversarial.aims import Aims
from app.adversarial.rows import Rows
from app.engine.admission import Meter, Reservation
from app.engine.batch import Batch
from app.engine.jobs import Ask, ClimbJob, ClimbRow
from app.engine.model import DeviceModel
from app.engine.token import WorkToken
from tests.engine.small import CLASSES

SIZE_RMS, STEPS, OVERSHOOT = 1.0, 10, 2.0  # past the size by the fourth step


@dataclass
class FakeStep:
    """Of one pixel: the gradient over it is the row's own label + 1, its logits the pixel itself."""

    name: str = "fake"
    seen: list[list[float]] = field(default_factory=list)

    def logits(self, images: Tensor) -> Tensor:
        return images.flatten(1).expand(-1, CLASSES)

    def logits_and_gradient(self, images: Tensor, aims: Aims) -> tuple[Tensor, Tensor]:
        self.seen.append(images.flatten().tolist())
        return self.logits(images), (aims.label + 1.0).reshape(-1, 1, 1, 1).to(images)


def row_at(model: DeviceModel, pixel: float, label: int) -> ClimbRow:
    """A job of one row, whose image is this pixel; the label is discouraged, so the pixel rises."""
    rows = Rows.alike(
        torch.tensor([label]), encourage=False, size_rms=SIZE_RMS, steps=STEPS, overshoot=OVERSHOOT, momentum=0.0
    )
    ask = Ask(torch.full((1, 1, 1, 1), pixel), rows, Aims.alike(rows.label, margin=False, classes=CLASSES))
    (row,) = ClimbJob(model, Reservation(1.0, 0, Meter()), WorkToken(), ask).rows
    return row


def change_after(steps: int) -> float:
    """By hand: of one pixel u is +1 while |d| is below the size, else -1; the step's share is its length."""
    change = 0.0
    for step in range(steps):
        sign = 1.0 if abs(change) < SIZE_RMS else -1.0
        change += sign * SIZE_RMS * OVERSHOOT * (STEPS - step) / (STEPS * (STEPS + 1) / 2)
    return change


moves = st.lists(
    st.tuples(st.sampled_from(["join", "step", "step", "leave"]), st.sets(st.integers(0, 7), min_size=1)), max_size=40
)


@given(moves=moves)
@settings(max_examples=100, deadline=None)
def test_each_row_keeps_its_state_whoever_comes_goes_and_steps(moves: list[tuple[str, set[int]]]) -> None:
    step = FakeStep()
    model = DeviceModel(step, torch.device("cpu"), (1, 1, 1), bytes_per_row=1)
    rows = [row_at(model, pixel=number / 8, label=number % CLASSES) for number in range(8)]
    batch = Batch(model, rows[:1])
    made = {0: 0}
    for what, chosen in moves:
        if what == "join":
            batch.join([rows[number] for number in sorted(chosen)])
            made |= {number: 0 for number in chosen if number not in made}
        elif what == "leave":
            batch.leave([rows[number] for number in chosen])
            made = {number: count for number, count in made.items() if number not in chosen}
        elif members := [number for number in sorted(chosen) if number in made and made[number] < STEPS]:
            stepped = batch.step([rows[number] for number in members])
            where = [number / 8 + change_after(made[number]) for number in members]
            torch.testing.assert_close(torch.tensor(step.seen[-1]), torch.tensor(where), rtol=0, atol=1e-5)
            torch.testing.assert_close(stepped.seen.logits[:, 0], torch.tensor(where), rtol=0, atol=1e-5)
            assert list(stepped.members) == [rows[number] for number in members]
            for number in members:
                made[number] += 1
        assert len(batch) == len(made)
        for number, count in made.items():
            torch.testing.assert_close(
                batch.perturbation(rows[number]).flatten(), torch.tensor([change_after(count)]), rtol=0, atol=1e-5
            )


def test_a_step_that_raises_leaves_every_row_where_it_was() -> None:
    model = DeviceModel(FakeStep(), torch.device("cpu"), (1, 1, 1), bytes_per_row=1)
    rows = [row_at(model, pixel=0.5, label=0) for _ in range(3)]
    batch = Batch(model, rows)
    batch.step(rows)
    before = [batch.perturbation(row) for row in rows]
    stranger = row_at(model, pixel=0.5, label=0)
    for wrong in ([rows[0], stranger], [stranger]):
        try:
            batch.step(wrong)
        except KeyError:
            continue
        raise AssertionError("a row that is not in was stepped")
    torch.testing.assert_close([batch.perturbation(row) for row in rows], before, rtol=0, atol=0)
