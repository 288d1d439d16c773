"""Explanations: what they report is what they did, and they fail row by row."""

from typing import get_args

import pytest
import torch

from app.adversarial.drives import margin
from app.adversarial.explain import Direction, explain, fast_rows, paper_rows
from tests.adversarial.tiny import (
    breaks_beyond,
    mixed_rows,
    one_row,
    random_convnet,
    random_images,
    signed_size,
    two_pixel_image,
    two_pixel_network,
)


def test_the_papers_options() -> None:
    rows = paper_rows(torch.tensor([3, 7]), direction="discourage")
    assert rows.label.tolist() == [3, 7]
    assert rows.encourage.tolist() == [False, False]
    assert rows.size_rms.tolist() == pytest.approx([0.1, 0.1])
    assert rows.steps.tolist() == [35, 35]
    assert rows.overshoot.tolist() == [5.0, 5.0]
    assert rows.momentum.tolist() == [0.0, 0.0]


def test_fast_options() -> None:
    rows = fast_rows(torch.tensor([3, 7]), direction="encourage", rho=0.05)
    assert rows.label.tolist() == [3, 7]
    assert rows.encourage.tolist() == [True, True]
    assert rows.steps.tolist() == [8, 8]
    assert rows.overshoot.tolist() == [18.0, 18.0]  # 4 + 3.5 + ... + 0.5
    assert rows.momentum.tolist() == pytest.approx([0.3, 0.3])
    assert rows.projected.all()


@pytest.mark.parametrize("direction", get_args(Direction))
@pytest.mark.parametrize("rho", [0.01, 0.1, 0.7])
def test_a_fast_explanation_has_the_size_asked_for(rho: float, direction: Direction) -> None:
    network, images, label = random_convnet(5).float(), random_images(6, 4).float(), torch.tensor([0, 1, 2, 3])
    found = explain(network, images, fast_rows(label, direction=direction, rho=rho))
    torch.testing.assert_close(found.perturbation_rms, torch.full((4,), rho), rtol=1e-5, atol=0)
    assert found.settled.all()


@pytest.mark.parametrize("direction", get_args(Direction))
def test_a_fast_explanation_gets_about_as_far_as_the_papers(direction: Direction) -> None:
    network, images, label = random_convnet(7).float(), random_images(8, 16).float(), torch.arange(16) % 4
    paper = explain(network, images, paper_rows(label, direction=direction))
    fast = explain(network, images, fast_rows(label, direction=direction, rho=0.1))
    far, as_far = (one.probability_after.log().mean() for one in (paper, fast))
    assert as_far > 1.05 * far if direction == "encourage" else as_far < 0.95 * far


@pytest.mark.parametrize("encourage", [True, False])
def test_by_hand_on_two_pixels(*, encourage: bool) -> None:
    # Out to 1.5 sizes, back to 0.5, out to 1: r = 0.25 sizes, which moves the logit of class 1 by 2 r.
    row = one_row(encourage=encourage, steps=3, overshoot=3.0)
    found = explain(two_pixel_network, two_pixel_image(0.0), row)

    r = -0.25 if encourage else 0.25
    assert signed_size(found.perturbation) == pytest.approx(r, rel=1e-6)
    assert float(found.perturbation_rms) == pytest.approx(0.25, rel=1e-6)
    assert float(found.perturbation_l2) == pytest.approx(0.25 * 2**0.5, rel=1e-6)
    assert float(found.probability_before) == 0.5
    after = 1 / (1 + torch.tensor(2 * r, dtype=torch.float64).exp())
    assert float(found.probability_after) == pytest.approx(float(after), rel=1e-6)
    assert found.settled.all()
    assert found.goal_met.all()


def test_probabilities_are_those_of_the_image_and_the_changed_image() -> None:
    network, images = random_convnet(1), random_images(2, 4)
    label = torch.tensor([0, 1, 2, 3])
    found = explain(network, images, paper_rows(label, direction="encourage"), drive=margin)
    at = torch.arange(4)
    torch.testing.assert_close(found.probability_before, network(images).softmax(1)[at, label])
    after = network(images + found.perturbation).softmax(1)[at, label]
    torch.testing.assert_close(found.probability_after, after)


def test_a_row_that_could_not_settle_says_so() -> None:
    found = explain(two_pixel_network, two_pixel_image(0.0), one_row(encourage=True, steps=1, overshoot=5.0))
    assert not found.settled.any()
    assert not found.goal_met.any()


@pytest.mark.parametrize("breaks_at", [-0.8, -0.5])
def test_a_row_that_breaks_says_its_step_also_when_it_is_the_look_after_the_last(breaks_at: float) -> None:
    # Two steps, 2/3 and 1/3 of 0.25: left - right is -1, -2/3 and then -1/2 at the look after the last step.
    rows = mixed_rows([0, 0], [False, False], [0.25, 0.25], [2, 2], [1.0, 1.0], [0.0, 0.0])
    images = torch.cat([two_pixel_image(-1.0), two_pixel_image(-3.0)])

    found = explain(breaks_beyond(breaks_at - 0.01, kind="nan"), images, rows)

    assert found.non_finite_step.tolist() == [1 if breaks_at == -0.8 else 2, -1]
    assert found.goal_met.tolist() == [False, True]
    assert found.probability_after[1].isfinite()
