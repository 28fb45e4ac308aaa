"""Whole networks: what a cut network computes, under torchvision's names."""

from __future__ import annotations

import pytest
import torch
from torchvision import models as tv

from fer_tune.models.network import Normalise
from fer_tune.models.registry import backbone
from fer_tune.models.whole import whole_network, whole_state
from tests.models.kept_files import cut
from tests.models.smallest import SMALLEST

pytestmark = pytest.mark.slow

PICTURES = torch.randint(0, 256, (4, 1, 32, 32), dtype=torch.uint8)


@pytest.mark.parametrize("name", SMALLEST)
@pytest.mark.parametrize("depth", range(6))
def test_a_whole_network_computes_what_the_cut_one_does(name: str, depth: int) -> None:
    network = cut(name, depth)
    network.tail.train()
    with torch.no_grad():  # statistics and weights of the tail differ from the prefix's state
        network.tail(network.prefix(PICTURES))
    network.tail.eval()
    state = whole_state(backbone(name), network.prefix, network.tail)
    with torch.no_grad():
        wanted = network.tail(network.prefix(PICTURES))
        assert torch.equal(whole_network(backbone(name), state, 6)(PICTURES), wanted)
        theirs = tv.get_model(name, num_classes=6)
        theirs.load_state_dict(state)
        assert torch.allclose(theirs.eval()(Normalise()(PICTURES)), wanted, atol=1e-5)


def test_the_state_is_a_copy() -> None:
    network = cut()
    state = whole_state(backbone("resnet18"), network.prefix, network.tail)
    before = {name: tensor.clone() for name, tensor in state.items()}
    with torch.no_grad():
        for parameter in network.tail.parameters():
            parameter.add_(1)
    assert all(torch.equal(state[name], tensor) for name, tensor in before.items())
    assert all(tensor.is_contiguous() for tensor in state.values())
