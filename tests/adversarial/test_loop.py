"""The loop against the slow oracle, against closed forms, and what it must never do."""

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from app.adversarial.drives import Drive, cross_entropy, margin
from app.adversarial.explain import paper_rows
from app.adversarial.loop import RESTING_MOVE, perturb, require_finite
from app.adversarial.rows import Rows
from app.adversarial.sizes import rms
from app.adversarial.stop_rules import StopRule, while_below_size, while_class_stands
from app.errors import NotFinite
from tests.adversarial.tiny import (
    DRIVES,
    RULES,
    breaks_beyond,
    mixed_rows,
    one_row,
    random_convnet,
    random_images,
    signed_size,
    two_pixel_image,
    two_pixel_network,
)
from tests.reference import plain_loop, plain_projected


def oracle(network: nn.Module, image: Tensor, row: Rows, rule: StopRule, drive: Drive) -> list[Tensor]:
    """The perturbations of one image by the slow loop."""
    return plain_loop(
        network,
        image,
        score=DRIVES[drive](int(row.label)),
        encourage=bool(row.encourage),
        size_rms=float(row.size_rms),
        steps=int(row.steps),
        overshoot=float(row.overshoot),
        momentum=float(row.momentum),
        follow=RULES[rule](row),
    )


def five_mixed_rows() -> Rows:
    return mixed_rows(
        label=[0, 3, 1, 2, 1],
        encourage=[True, False, False, True, False],
        size_rms=[0.1, 0.35, 0.02, 1.0, 0.5],
        steps=[7, 3, 12, 1, 9],
        overshoot=[4.9, 1.0, 2.7, 1.3, 1.0],
        momentum=[0.0, 0.9, 0.0, 0.5, 0.9],
    )


@pytest.mark.parametrize("drive", DRIVES)
@pytest.mark.parametrize("rule", RULES)
def test_equals_the_oracle_where_every_row_asks_for_something_else(rule: StopRule, drive: Drive) -> None:
    network, images, rows = random_convnet(1), random_images(2, 5), five_mixed_rows()

    result = perturb(network, images, rows, rule, drive=drive)

    for i in range(5):
        expected = oracle(network, images[i], rows[i : i + 1], rule, drive)[-1]
        torch.testing.assert_close(result.perturbation[i], expected, rtol=0, atol=1e-10)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    shape=st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(2, 6), st.integers(2, 6)),
    steps=st.integers(1, 6),
    overshoot=st.sampled_from([0.7, 1.3, 4.9]),  # none of which lands on the size asked for, where rounding decides
    momentum=st.sampled_from([0.0, 0.5, 0.9]),
    encourage=st.booleans(),
    rule=st.sampled_from(list(RULES)),
    drive=st.sampled_from(list(DRIVES)),
)
def test_equals_the_oracle_for_any_shape(
    seed: int,
    shape: tuple[int, int, int, int],
    steps: int,
    overshoot: float,
    momentum: float,
    encourage: bool,
    rule: StopRule,
    drive: Drive,
) -> None:
    count, channels, height, width = shape
    network = random_convnet(seed, channels=channels)
    images = random_images(seed, count, channels=channels, height=height, width=width)
    labels = [(seed + i) % 4 for i in range(count)]
    rows = mixed_rows(
        labels, [encourage] * count, [0.2] * count, [steps] * count, [overshoot] * count, [momentum] * count
    )

    result = perturb(network, images, rows, rule, drive=drive)

    for i in range(count):
        expected = oracle(network, images[i], rows[i : i + 1], rule, drive)[-1]
        torch.testing.assert_close(result.perturbation[i], expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("drive", DRIVES)
@pytest.mark.parametrize(
    ("steps", "overshoot", "momentum", "in_sizes"),
    [
        (1, 1.0, 0.0, 1.0),
        (1, 5.0, 0.0, 5.0),  # one step spends the whole overshoot
        (2, 1.0, 0.0, 1.0),  # 2/3 + 1/3
        (2, 3.0, 0.0, 1.0),  # out to 2, back by 1
        (3, 3.0, 0.0, 1.0),  # out to 1.5, back to 0.5, out to 1
        (3, 4.8, 0.0, 1.6),  # out to 2.4, back to 0.8, out to 1.6: the last step is made without looking again
        (2, 1.0, 0.5, 7 / 12),  # 2/3 * 1/2, then 1/3 * 3/4
    ],
)
def test_two_pixels_by_hand(drive: Drive, steps: int, overshoot: float, momentum: float, in_sizes: float) -> None:
    row = one_row(encourage=False, steps=steps, overshoot=overshoot, momentum=momentum)

    result = perturb(two_pixel_network, two_pixel_image(-0.1), row, while_below_size, drive=drive)

    # 1e-7: the 1e-8 that keeps a row without gradient from dividing by zero, at gradients of about 1/2
    assert signed_size(result.perturbation) == pytest.approx(0.25 * in_sizes, rel=1e-7)


def test_encouraging_goes_the_other_way() -> None:
    row = one_row(encourage=True, steps=1)

    result = perturb(two_pixel_network, two_pixel_image(-0.1), row, while_below_size)

    assert signed_size(result.perturbation) == pytest.approx(-0.25, rel=1e-7)


@given(steps=st.integers(1, 60), overshoot=st.floats(0.1, 8), size=st.floats(0.001, 20))
@settings(max_examples=30, deadline=None)
def test_steps_fall_linearly_and_sum_to_size_times_overshoot(steps: int, overshoot: float, size: float) -> None:
    at_step: list[float] = []
    row = one_row(encourage=False, steps=steps, overshoot=overshoot, size_rms=size)

    result = perturb(
        two_pixel_network,
        two_pixel_image(0.0),
        row,
        lambda logits, d, rows: torch.ones(len(rows), dtype=torch.bool),
        drive=margin,
        observe=lambda step, index, d, follow: at_step.append(signed_size(d)),
    )

    ends = [*at_step, signed_size(result.perturbation)]
    strides = [after - before for before, after in pairwise(ends)]
    assert ends[-1] == pytest.approx(size * overshoot, rel=1e-6)
    assert strides == pytest.approx([strides[-1] * (steps - t) for t in range(steps)], rel=1e-6)


def test_the_observer_sees_every_perturbation_before_its_step() -> None:
    network, images, rows = random_convnet(3), random_images(4, 5), five_mixed_rows()
    seen: list[list[Tensor]] = [[] for _ in range(5)]
    followed: list[list[bool]] = [[] for _ in range(5)]

    def observe(step: int, index: Tensor, perturbation: Tensor, follow: Tensor) -> None:
        for i, d, f in zip(index.tolist(), perturbation, follow.tolist(), strict=True):
            assert len(seen[i]) == step
            seen[i].append(d.clone())
            followed[i].append(f)

    perturb(network, images, rows, while_below_size, observe=observe)

    for i in range(5):
        expected = oracle(network, images[i], rows[i : i + 1], while_below_size, cross_entropy)[:-1]
        torch.testing.assert_close(torch.stack(seen[i]), torch.stack(expected), rtol=0, atol=1e-10)
        assert followed[i] == [bool(rms(d[None]) < rows.size_rms[i]) for d in expected]


def test_a_row_alone_equals_the_row_among_fifteen_others() -> None:
    network, images = random_convnet(5), random_images(6, 16)
    fives = five_mixed_rows()
    rows = fives[torch.arange(16) % 5]

    together = perturb(network, images, rows, while_class_stands).perturbation

    for i in range(16):
        alone = perturb(network, images[i : i + 1], rows[i : i + 1], while_class_stands).perturbation
        torch.testing.assert_close(together[i : i + 1], alone, rtol=0, atol=1e-12)


def test_an_image_of_nan_is_stopped_at_its_first_step_and_alone() -> None:
    network, images, rows = random_convnet(7), random_images(8, 5), five_mixed_rows()
    clean = perturb(network, images, rows, while_below_size).perturbation
    images[2, 0, 1, 1] = torch.nan

    result = perturb(network, images, rows, while_below_size)

    assert result.non_finite_step.tolist() == [-1, -1, 0, -1, -1]
    others = [0, 1, 3, 4]
    torch.testing.assert_close(result.perturbation[others], clean[others], rtol=0, atol=1e-12)
    assert not result.perturbation[2].any()


@pytest.mark.parametrize("kind", ["nan", "inf", "gradient"])
def test_a_row_that_breaks_midway_says_its_step_and_stays_where_it_was(kind: str) -> None:
    images = torch.cat([two_pixel_image(-3.0), two_pixel_image(-1.0)])
    rows = mixed_rows([0, 0], [False, False], [1.0, 1.0], [3, 3], [1.0, 1.0], [0.0, 0.0])

    # Both go 1/2, 5/6, 1; left - right of the second is -1 and then 0, where the network breaks: at step 1.
    result = perturb(breaks_beyond(-0.01, kind=kind), images, rows, while_below_size)

    assert result.non_finite_step.tolist() == [-1, 1]
    assert signed_size(result.perturbation[0]) == pytest.approx(1.0, rel=1e-6)
    assert signed_size(result.perturbation[1]) == pytest.approx(0.5, rel=1e-6)


def test_require_finite_names_the_row_and_its_step() -> None:
    require_finite(torch.tensor([-1, -1]))
    with pytest.raises(NotFinite, match=r"row 1 at step 4 \(2 of 3 rows\)"):
        require_finite(torch.tensor([-1, 4, 0]))


def test_weights_take_no_gradient_and_keep_their_own() -> None:
    network = random_convnet(9).requires_grad_(True)
    kept = torch.ones_like(next(network.parameters()))
    next(network.parameters()).grad = kept
    with torch.no_grad():
        perturb(network, random_images(10, 5), five_mixed_rows(), while_below_size)

    first, *others = network.parameters()
    assert first.grad is kept
    assert bool((kept == 1).all())
    assert all(parameter.grad is None for parameter in others)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_images_are_left_as_they_were() -> None:
    images = random_images(11, 5)
    before = images.clone()
    perturb(random_convnet(12), images, five_mixed_rows(), while_below_size)
    assert torch.equal(images, before)
    assert not images.requires_grad


def test_no_rows_are_no_work() -> None:
    nothing = perturb(random_convnet(13), random_images(14, 0), five_mixed_rows()[:0], while_below_size)
    assert nothing.perturbation.shape == (0, 2, 5, 4)


def test_a_row_without_gradient_stays_at_zero() -> None:
    flat = perturb(
        lambda images: images.sum((2, 3)) * 0, random_images(15, 1), one_row(encourage=True, steps=5), while_below_size
    )
    assert not flat.perturbation.any()


def test_a_gradient_too_steep_to_measure_is_not_finite() -> None:
    rows = paper_rows(torch.tensor([1]), direction="encourage")
    image = two_pixel_image(0.0).float()
    steep = perturb(lambda x: two_pixel_network(x) * 1e25, image, rows, while_below_size, drive=margin)
    assert steep.non_finite_step.tolist() == [0]


def test_projected_rows_equal_the_oracle_beside_rows_that_are_not() -> None:
    network, images = random_convnet(16), random_images(17, 5)
    rows = replace(five_mixed_rows(), projected=torch.tensor([True, False, True, False, True]))

    result = perturb(network, images, rows, while_below_size)

    for i in range(5):
        row, plain = rows[i : i + 1], five_mixed_rows()[i : i + 1]
        expected = plain_projected(
            network,
            images[i],
            score=DRIVES[cross_entropy](int(row.label)),
            encourage=bool(row.encourage),
            size_rms=float(row.size_rms),
            steps=int(row.steps),
            overshoot=float(row.overshoot),
            momentum=float(row.momentum),
            resting=RESTING_MOVE,
        )
        if not row.projected:
            expected = oracle(network, images[i], plain, while_below_size, cross_entropy)
        torch.testing.assert_close(result.perturbation[i], expected[-1], rtol=0, atol=1e-10)


def test_a_projected_row_rests_where_a_step_would_not_move_it() -> None:
    # The gradient of two pixels points one way only: the first step lands at the size, and the second would stay there.
    seen: list[int] = []
    row = one_row(encourage=True, steps=6, overshoot=9.0, projected=True)
    result = perturb(
        two_pixel_network, two_pixel_image(-0.1), row, while_below_size, observe=lambda step, *_: seen.append(step)
    )
    assert seen == [0, 1]
    assert float(rms(result.perturbation)) == pytest.approx(0.25, rel=1e-6)


def test_a_projected_row_without_gradient_stays_where_it_was() -> None:
    row = one_row(encourage=True, steps=5, projected=True)
    nothing = perturb(lambda images: images.sum((2, 3)) * 0, random_images(15, 1), row, while_below_size)
    assert not nothing.perturbation.any()
    assert nothing.non_finite_step.tolist() == [-1]
