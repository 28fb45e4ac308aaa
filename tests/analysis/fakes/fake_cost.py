"""What a made-up run takes: seconds, memory, hits in the feature bank, a place on a machine."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from fake_plan import Plan
from numpy.typing import NDArray

START = 1_760_000_000.0
#: Trials at a time.
SLOTS = 4
VIEWS = 4
#: Seconds of an epoch at 64 pixels with everything trained, and parameters as torchvision has them.
_PACE = {
    "densenet121": 6.0,
    "densenet161": 11.0,
    "densenet169": 7.5,
    "densenet201": 9.0,
    "resnet18": 2.5,
    "resnet34": 3.5,
    "resnet50": 5.0,
    "resnet101": 7.0,
    "resnet152": 9.5,
}
PARAMETERS = {
    "densenet121": 7_978_856,
    "densenet161": 28_681_000,
    "densenet169": 14_149_480,
    "densenet201": 20_013_928,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "resnet101": 44_549_160,
    "resnet152": 60_192_808,
}
_BACKWARD = 0.18


@dataclass(frozen=True, kw_only=True)
class EpochCosts:
    """Per epoch of one run, arrays (epochs,)."""

    seconds: NDArray[np.float64]
    bank_hits: NDArray[np.int64]
    peak_memory_mib: float


class Machine:
    """Gives runs their places in time and remembers which features have been computed."""

    def __init__(self, plan: Plan, rng: np.random.Generator) -> None:
        self._plan, self._rng = plan, rng
        self._free = [START + 12.0] * SLOTS
        self._bank: set[tuple[Any, ...]] = set()

    @property
    def idle_at(self) -> float:
        """When everything given so far has ended; seconds since the Unix epoch."""
        return max(self._free)

    def wait(self, until: float) -> None:
        self._free = [max(until, free) for free in self._free]

    def epochs(
        self, config: Mapping[str, Any], length: int, own_views: int | None = None
    ) -> EpochCosts:
        """Costs of ``length`` epochs.

        Args:
            own_views: what tells the views of this run from others'; None: it shares them.
        """
        depth, area = config["unfreeze_depth"], (config["crop_size"] / 64) ** 2
        full = _PACE[config["backbone"]] * area
        tail, prefix = full * (0.1 + _BACKWARD * depth), 0.12 * full * (4 - depth)
        seconds = tail * self._rng.lognormal(0, 0.05, length) + 0.4
        hits = np.zeros(length, dtype=np.int64)
        what = (config["backbone"], depth, config["crop_size"])
        for epoch in range(length):
            for key in (
                (*what, config["augment_policy"], epoch % VIEWS, own_views),
                (*what, "validation"),
            ):
                if key in self._bank:
                    hits[epoch] += 1
                else:
                    self._bank.add(key)
                    seconds[epoch] += prefix * (0.8 if "validation" not in key else 0.2)
        memory = 700 + 55 * _PACE[config["backbone"]] * area * (0.3 + 0.5 * depth)
        return EpochCosts(seconds=seconds, bank_hits=hits, peak_memory_mib=float(memory))

    def place(self, seconds: float) -> dict[str, Any]:
        """Columns of ``trials`` on when, how long and where a run of ``seconds`` took place."""
        setup = float(self._rng.uniform(0.5, 2.5))
        started = heapq.heappop(self._free)
        heapq.heappush(self._free, started + setup + seconds)
        return {
            "started": started,
            "setup_seconds": setup,
            "seconds": seconds,
            "accelerator_seconds": seconds / 2 if self._plan.accelerated else 0.0,
            "cpu_seconds": seconds,
            "node": "node-1",
        }


def latency(backbone: str, memory: float, rng: np.random.Generator) -> dict[str, Any]:
    """What one confirmation run measured, as ``latency.json`` has it."""
    typical = 2.0 * _PACE[backbone] * float(rng.lognormal(0, 0.06))
    return {
        "p50_ms": typical,
        "p95_ms": typical * float(rng.uniform(1.15, 1.6)),
        "peak_memory_mib": memory,
        "others": 1,
    }
