"""A kept model that is exported within a second, and one whose logits hardly differ."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from fer_tune.models.kept import KeptModel
from fer_tune.models.network import Head, Normalise
from tests.serving.small_models import CLASSES, small_card


def tiny_model(channels: int = 1, *, contrast: float = 1.0, **changes: object) -> KeptModel:
    """One convolution, pooling and a head, with drawn weights.

    Args:
        contrast: factor of the head's weights; near 0 all pictures get nearly the same logits.
    """
    card = small_card(crop=24, **changes)
    prepared = card.preprocessing.model_copy(update={"channels": channels})
    generator = torch.Generator().manual_seed(7)
    convolution, normed = nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8)
    head = Head(8, len(CLASSES), dropout=0.5)
    with torch.no_grad():
        for tensor in (*convolution.parameters(), *head.parameters()):
            tensor.copy_(torch.randn(tensor.shape, generator=generator) / 2)
        head.linear.weight.mul_(contrast)
    pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    network = nn.Sequential(Normalise(), convolution, normed, nn.ReLU(inplace=True), pool, head)
    return KeptModel(
        folder=Path("made-up"),
        card=card.model_copy(update={"preprocessing": prepared}),
        network=network.eval().requires_grad_(False),
    )
