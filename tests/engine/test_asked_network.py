"""A network asked through the engine answers, forward and back, as the network itself."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from app.comparison.attribution import Attribution
from app.comparison.gradients import integrated_gradients, smoothgrad
from app.comparison.occlusion import occlusion
from app.engine.asked_network import AskedNetwork
from app.engine.device import Engine, EngineLimits
from app.engine.token import WorkToken
from app.errors import Cancelled
from tests.adversarial.tiny import random_images
from tests.engine.small import small

CHUNK = 3


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine(EngineLimits(places=2, max_step_rows=CHUNK))
    yield engine
    engine.close()


def test_logits_and_gradients_are_the_networks_own_in_parts_of_a_step(engine: Engine) -> None:
    on, over = small(), random_images(2, 8).flatten(1)[:, :4]
    images, again = (random_images(1, 8).requires_grad_() for _ in range(2))
    with engine.place(on.model) as place:
        asked = AskedNetwork(on.network, place, WorkToken())
        logits = asked(images)
        logits.backward(over)
    expected = on.network(again)
    expected.backward(over)
    torch.testing.assert_close(logits, expected)
    torch.testing.assert_close(images.grad, again.grad)
    assert max(on.step.looks) <= CHUNK


@pytest.mark.parametrize("method", [integrated_gradients, smoothgrad, occlusion])
def test_others_methods_find_what_they_find_of_the_network_itself(
    engine: Engine, method: Callable[..., Attribution]
) -> None:
    on, images, target = small(), random_images(1, 2), torch.tensor([2, 0])
    with engine.place(on.model) as place:
        found = method(AskedNetwork(on.network, place, WorkToken()), images, target)
    torch.testing.assert_close(found.map, method(on.network, images, target).map)


def test_the_way_back_is_made_on_the_devices_thread(engine: Engine) -> None:
    on, threads = small(), set()
    on.network.register_forward_hook(lambda *_: threads.add(threading.current_thread().name))
    with engine.place(on.model) as place:
        AskedNetwork(on.network, place, WorkToken())(random_images(1, 2).requires_grad_()).sum().backward()
    assert threads == {"device"}


def test_who_is_gone_gets_no_further_part(engine: Engine) -> None:
    on, token, passes = small(), WorkToken(), []

    def leave_at_the_second(*_: object) -> None:
        passes.append(1)
        if len(passes) == 2:
            token.cancel("gone")

    with engine.place(on.model) as place:
        logits = AskedNetwork(on.network, place, token)(random_images(1, 12).requires_grad_())
        on.network.register_forward_hook(leave_at_the_second)
        with pytest.raises(Cancelled):
            logits.sum().backward()
    assert len(passes) == 2
