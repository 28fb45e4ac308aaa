"""Convolutions as products of matrices: what torch computes, only where it is faster."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fer_tune.models import convolution
from fer_tune.models.convolution import TrainedConv2d, use_trained_convolutions
from fer_tune.models.registry import backbone
from tests.models.smallest import SMALLEST

#: Channels in and out, kernel, stride, height and width of the map; and whether it is a product.
SHAPES = [
    (24, 12, 1, 1, 5, 6, True),
    (24, 12, 1, 2, 5, 6, True),
    (24, 12, 1, 2, 4, 4, True),
    (16, 24, 3, 1, 1, 1, True),
    (16, 24, 3, 2, 1, 1, True),
    (256, 256, 3, 1, 1, 2, True),
    (256, 256, 3, 1, 2, 2, True),
    (256, 256, 3, 1, 3, 3, True),
    (256, 256, 3, 2, 3, 3, True),
    (256, 256, 3, 2, 5, 6, True),
    (16, 24, 3, 1, 2, 2, False),
    (256, 256, 3, 1, 3, 4, True),
    (256, 256, 3, 1, 4, 5, False),
]


def pair(wide: int, narrow: int, kernel: int, stride: int) -> tuple[nn.Conv2d, nn.Conv2d]:
    torch.manual_seed(0)
    theirs = nn.Conv2d(wide, narrow, kernel, stride, kernel // 2, bias=False)
    ours = nn.Conv2d(wide, narrow, kernel, stride, kernel // 2, bias=False)
    ours.load_state_dict(theirs.state_dict())
    use_trained_convolutions(ours)
    assert type(ours) is TrainedConv2d and type(theirs) is nn.Conv2d
    return theirs, ours


def computed(layer: nn.Conv2d, features: Tensor) -> list[Tensor]:
    """The output and the gradients of input and kernel."""
    given = features.clone().requires_grad_()
    output = layer(given)
    output.backward(torch.linspace(-1, 1, output.numel()).view(output.shape))
    assert given.grad is not None and layer.weight.grad is not None
    return [output.detach(), given.grad, layer.weight.grad]


@pytest.fixture
def products(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A one for every product of matrices."""
    seen: list[int] = []
    linear = convolution.functional.linear
    monkeypatch.setattr(
        convolution.functional, "linear", lambda *args: seen.append(1) or linear(*args)
    )
    return seen


@pytest.mark.parametrize("shape", SHAPES)
def test_outputs_and_gradients_are_those_of_torch(
    shape: tuple[int, ...], products: list[int]
) -> None:
    *layer, height, width, product = shape
    theirs, ours = pair(*layer)
    features = torch.randn(3, layer[0], height, width).to(memory_format=torch.channels_last)
    expected, found = computed(theirs, features), computed(ours, features)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert [t.stride() for t in found[:2]] == [t.stride() for t in expected[:2]]
    assert len(products) == product, "narrow kernels and large maps are torch's"


@pytest.mark.parametrize("layer", [(512, 64, 1, 1), (256, 256, 3, 1)])
def test_in_bfloat16_it_is_as_exact_as_torch(layer: tuple[int, ...]) -> None:
    theirs, ours = pair(*layer)
    features = torch.randn(8, layer[0], 3, 3).to(memory_format=torch.channels_last)
    exact = computed(theirs, features)
    errors = []
    for one in (theirs, ours):
        one.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            found = computed(one, features.bfloat16())
        errors.append([(a - b).norm() / b.norm() for a, b in zip(found, exact, strict=True)])
    for torchs, own in zip(*errors, strict=True):
        assert own < 1.2 * torchs


def test_no_pictures_give_no_pictures() -> None:
    _, ours = pair(256, 256, 3, 1)
    assert ours(torch.randn(0, 256, 2, 2)).shape == (0, 256, 2, 2)


def test_without_gradients_the_bits_are_those_of_torch(products: list[int]) -> None:
    theirs, ours = pair(24, 12, 1, 1)
    features = torch.randn(3, 24, 4, 4)
    with torch.no_grad():
        assert torch.equal(ours(features), theirs(features))
    ours.requires_grad_(False)
    assert torch.equal(ours(features), theirs(features))
    assert products == []


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(8, 8, 1),
        nn.Conv2d(8, 8, 1, bias=False, groups=2),
        nn.Conv2d(8, 8, 3, bias=False, dilation=2, padding=1),
        nn.Conv2d(8, 8, 1, bias=False, padding=1),
        nn.Conv2d(8, 8, 3, bias=False),
        nn.Conv2d(8, 8, 1, bias=False, padding_mode="reflect"),
    ],
    ids=["bias", "groups", "dilation", "padded point", "unpadded", "reflected"],
)
def test_other_convolutions_stay_as_they_are(layer: nn.Conv2d, products: list[int]) -> None:
    features = torch.randn(2, 8, 5, 5)
    expected = computed(layer, features)
    layer.zero_grad()
    use_trained_convolutions(layer)
    assert all(map(torch.equal, computed(layer, features), expected))
    assert products == []


@pytest.mark.parametrize("name", SMALLEST)
def test_every_backbone_has_them(name: str) -> None:
    model = backbone(name).empty_module()
    found = [type(m) for m in model.modules() if isinstance(m, nn.Conv2d)]
    assert found and set(found) == {TrainedConv2d}
