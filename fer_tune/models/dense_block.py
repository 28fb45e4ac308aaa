"""DenseNet's dense block with one concatenation that grows, and torchvision's tensors and names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class DenseBlock(nn.ModuleDict):
    """A dense block: every layer sees the block's input and the output of all layers before it.

    torchvision concatenates everything anew in every layer, from as many parts as there are layers
    before it, so the operations of a backward pass grow with the square of their number: one slice
    and one sum per layer and part. Here a layer's output is appended to what the layer has seen.
    The sums are the same, in the same order: in float32 outputs and gradients are bit-equal.

    Args:
        layers: torchvision's layers with their names; this block shares their modules.
    """

    def __init__(self, layers: Iterable[tuple[str, nn.Module]]) -> None:
        super().__init__(dict(layers))

    def forward(self, features: Tensor) -> Tensor:
        """Features (n, c, h, w) to (n, c + layers · growth rate, h, w)."""
        for layer in self.values():
            features = torch.cat((features, _output(layer, features)), 1)
        return features


def _output(layer: Any, features: Tensor) -> Tensor:
    """What a layer adds; torchvision's models have no dropout inside it."""
    assert layer.drop_rate == 0.0
    narrow = layer.conv1(layer.relu1(layer.norm1(features)))
    added: Tensor = layer.conv2(layer.relu2(layer.norm2(narrow)))
    return added
