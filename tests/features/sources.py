"""Small feature sources: numbered rows, and a prefix that counts what it sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fer_tune.features.bank import FeatureBank
from fer_tune.features.decision import Decision
from fer_tune.features.entries import Entry
from fer_tune.features.prefix import FrozenPrefix
from fer_tune.features.source import Cut, FeatureProvider

#: What a trial with room for all its features keeps.
ALL = Decision(train=True, validation=True, size=0, reason="kept")


def rows(count: int, width: int = 8, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.arange(count * width, dtype=torch.float32).view(count, width).to(dtype)


def entry(key: str, shape: tuple[int, ...] = (10, 8), dtype: torch.dtype = torch.float32) -> Entry:
    return Entry(key=key, shape=shape, dtype=dtype)


class Counting(nn.Module):
    """A stage that counts the pictures it has seen; 4-D out."""

    def __init__(self, channels: int = 1) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, 3, 3, padding=1)
        self.seen: list[int] = []

    def forward(self, pictures: Tensor) -> Tensor:
        self.seen.append(len(pictures))
        out: Tensor = self.convolution(pictures.float())
        return out


def provider(
    stages: nn.Module | Sequence[nn.Module],
    bank: FeatureBank | None,
    count: int = 300,
    decision: Decision = ALL,
    first: int = 0,
    **options: Any,
) -> FeatureProvider:
    """Features of ``count`` pictures of 4 × 4, every other one from position ``first`` on, through
    ``stages``; the depth falls with each."""

    def pictures(positions: np.ndarray, view: int | None) -> Tensor:
        value = torch.from_numpy(positions % 200 + (view or 0)).to(torch.uint8)
        return value[:, None, None, None].expand(-1, 1, 4, 4)

    modules = [stages] if isinstance(stages, nn.Module) else list(stages)
    cuts = {5 - number: number for number in range(1, len(modules) + 1)}
    return FeatureProvider(
        positions=np.arange(first, first + 2 * count, 2),
        pictures=pictures,
        prefix=FrozenPrefix(
            modules=nn.Sequential(*modules).eval().requires_grad_(False),
            depth=min(cuts),
            cuts=cuts,
            dtype=torch.float32,
        ),
        device=torch.device("cpu"),
        cuts={
            depth: Cut(identity={"depth": depth}, label=f"test-4px-depth{depth}.", row=(4, 4, 3))
            for depth in cuts
        },
        augmentation={"policy": "plain"},
        decision=decision,
        bank=bank,
        **options,
    )
