"""A model's step asked through the engine answers as the step itself, and holds nobody up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import torch
from torch import Tensor

from app.adversarial.aims import Aims
from app.adversarial.nearest import nearest_flip
from app.engine.asked_step import AskedStep
from app.engine.device import Engine, EngineLimits
from app.engine.steps.protocol import StepNetwork
from app.engine.token import WorkToken
from app.errors import Cancelled
from tests.adversarial.tiny import random_images
from tests.engine.small import CLASSES, SOON_SECONDS, small

CHUNK = 3


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(EngineLimits(places=2, max_step_rows=CHUNK))
    yield engine
    engine.close()


def test_answers_are_the_steps_own_in_parts_of_a_step(engine: Engine) -> None:
    on, images = small(), random_images(1, 8)
    aims = Aims.alike(torch.arange(8) % CLASSES, margin=True, classes=CLASSES)
    with engine.place(on.model) as place:
        asked = AskedStep(place, WorkToken())
        logits, both = asked.logits(images), asked.logits_and_gradient(images, aims)
    assert max(on.step.looks + on.step.climbs) == CHUNK
    assert (asked.forward_passes, asked.gradient_evaluations) == (8, 8)
    expected = small().step.logits_and_gradient(images, aims)
    torch.testing.assert_close(logits, expected[0])
    torch.testing.assert_close(both, expected)


def test_a_search_finds_through_the_engine_what_it_finds_of_the_network(engine: Engine) -> None:
    on, images = small(), random_images(1, 4)
    label = on.network(images).argmax(1)
    with engine.place(on.model) as place:
        found = nearest_flip(StepNetwork(AskedStep(place, WorkToken()), CLASSES), images, label)
    torch.testing.assert_close(found.images, nearest_flip(on.network, images, label).images, rtol=1e-6, atol=1e-6)


def test_another_request_is_answered_while_a_search_goes_on(engine: Engine) -> None:
    under_way, asked = Event(), Event()

    def wait_in_the_third_gradient(images: Tensor) -> None:
        del images
        if len(on.step.climbs) == 2:
            under_way.set()
            assert asked.wait(SOON_SECONDS)

    on = small(before=wait_in_the_third_gradient)
    images = random_images(1, 4)
    label = small().network(images).argmax(1)
    with (
        engine.place(on.model) as mine,
        engine.place(on.model) as theirs,
        ThreadPoolExecutor(2) as threads,
    ):
        step = StepNetwork(AskedStep(mine, WorkToken()), CLASSES)
        search = threads.submit(nearest_flip, step, images, label)
        assert under_way.wait(SOON_SECONDS)
        look = threads.submit(theirs.look, images[:1], WorkToken())
        while not engine.load().queued_jobs:
            pass  # the look is in the queue before the search goes on
        asked.set()
        look.result(SOON_SECONDS)
        gradients_by_then = len(on.step.climbs)
        search.result(SOON_SECONDS)
    assert gradients_by_then < len(on.step.climbs) / 2


def test_who_is_gone_gets_no_further_part(engine: Engine) -> None:
    token = WorkToken()

    def leave_at_the_second(images: Tensor) -> None:
        del images
        if len(on.step.climbs) == 1:
            token.cancel("gone")

    on = small(before=leave_at_the_second)
    aims = Aims.alike(torch.zeros(12, dtype=torch.int64), margin=False, classes=CLASSES)
    with engine.place(on.model) as place, pytest.raises(Cancelled):
        AskedStep(place, token).logits_and_gradient(random_images(1, 12), aims)
    assert len(on.step.climbs) == 2
