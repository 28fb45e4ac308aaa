"""Latency of one picture."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from fer_tune.training import latency
from fer_tune.training.device.compute import Compute


class Counting(nn.Module):
    passes = 0

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        return pictures


@pytest.mark.parametrize(("longest_s", "passes"), [(600.0, 33), (0.0, 3 + latency.LEAST)])
def test_a_slow_network_is_measured_less_often(
    longest_s: float, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latency, "LONGEST_S", longest_s)
    tail = Counting()
    run: Any = SimpleNamespace(
        tail=tail,
        prefix=nn.Identity(),
        compute=Compute.choose("float32", "cpu"),
        split=SimpleNamespace(validation=np.arange(4)),
        pictures=lambda positions, view: torch.rand(len(positions), 3),
    )
    found = latency.measure_latency(run)
    assert tail.passes == passes
    assert 0 < found["p50_ms"] <= found["p95_ms"]
