"""The others' ways to search: the authors' loop against the oracle, and what each library's comes to."""

import pytest
import torch

from app.adversarial.sizes import rms
from app.bench.peers import AUTHORS, Peer, authors_loop, installed_peers, missing_peers
from tests.adversarial.tiny import random_convnet, random_images
from tests.reference import follow_below, plain_cross_entropy, plain_loop

RHO, STEPS = 0.1, 20
LABEL = (0, 3, 1)


def test_the_authors_loop_is_the_reference_for_every_row() -> None:
    network, images = random_convnet(1), random_images(2, len(LABEL))
    changed = authors_loop(network, images, torch.tensor(LABEL), RHO, STEPS)
    for image, label, row in zip(images, LABEL, changed, strict=True):
        seen = plain_loop(
            network,
            image,
            score=plain_cross_entropy(label),
            encourage=True,
            size_rms=RHO,
            steps=STEPS,
            overshoot=5.0,
            momentum=0.0,
            follow=follow_below(RHO),
        )
        torch.testing.assert_close(row - image, seen[-1], rtol=0, atol=1e-12)


def test_every_peer_is_installed_where_this_is_developed() -> None:
    assert missing_peers() == []
    assert set(installed_peers()) == {AUTHORS, "torchattacks PGDL2", "foolbox L2PGD", "captum PGD"}


@pytest.mark.parametrize("peer", [peer for name, peer in installed_peers().items() if name != AUTHORS])
def test_a_library_makes_each_row_more_of_its_label_within_the_size(peer: Peer) -> None:
    network, images, label = random_convnet(1).float(), random_images(2, len(LABEL)).float(), torch.tensor(LABEL)
    images = 0.3 + 0.4 * images  # far from black and white, where clamping would keep them inside
    changed = peer(network, images, label, RHO, STEPS)
    sizes = rms(changed - images)
    assert bool((sizes <= 1.0001 * RHO).all())
    assert bool((sizes > 0.9 * RHO).all())
    row = torch.arange(len(LABEL))
    assert bool((network(changed).softmax(1) > network(images).softmax(1))[row, label].all())
