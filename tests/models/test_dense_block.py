"""The dense block against torchvision's."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from fer_tune.models.dense_block import DenseBlock
from fer_tune.models.registry import backbone


def blocks(name: str = "densenet121", block: str = "denseblock4") -> tuple[nn.Module, DenseBlock]:
    """One of torchvision's dense blocks, and ours of the same layers."""
    stock = backbone(name).module().get_submodule(f"features.{block}")
    return stock.to(memory_format=torch.channels_last), DenseBlock(stock.named_children())


def computed(block: nn.Module, features: Tensor, dtype: torch.dtype) -> list[Tensor]:
    """The output, and the gradients of input and parameters."""
    block.zero_grad()
    given = features.to(dtype, copy=True, memory_format=torch.channels_last).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        output = block(given).float()
    (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum().backward()
    assert given.grad is not None
    gradients = [p.grad for p in block.parameters() if p.grad is not None]
    return [output.detach(), given.grad, *gradients]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_gradients_are_equal(training: bool, dtype: torch.dtype) -> None:
    stock, ours = blocks()
    features = torch.randn(4, 512, 3, 3, generator=torch.Generator().manual_seed(0))
    stock.train(training), ours.train(training)
    expected, found = computed(stock, features, dtype), computed(ours, features, dtype)
    assert len(expected) == len(found) == 2 + len(list(stock.parameters()))
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))


def test_names_and_tensors_are_those_of_torchvision() -> None:
    stock, ours = blocks()
    assert list(ours.state_dict()) == list(stock.state_dict())
    assert [id(p) for p in ours.parameters()] == [id(p) for p in stock.parameters()]


def test_a_training_step_takes_half_the_operations() -> None:
    stock, ours = blocks("densenet161", "denseblock3")
    features = torch.randn(2, 384, 1, 1)
    counts = []
    for block in (stock, ours):
        with Counting() as operations:
            block(features).sum().backward()
        counts.append(operations.count)
    assert counts[1] < 0.55 * counts[0]


class Counting(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += 1
        return func(*args, **(kwargs or {}))
