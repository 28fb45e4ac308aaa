"""The machines of a simulated search: how many runs at a time, and when they are lost."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fer_tune.space import SearchSpace


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """GPUs of one kind, or machines of one run each where the search space asks for no GPU.

    Attributes:
        gpus: how many there are, at least 1.
        share: of one that a run holds: 1, 1/2, 1/4 or 1/8.
        spot_loss: losses per GPU and hour; the runs on a lost one continue on another, from their
            last checkpoint.
        autoscale_delay_s: seconds until a GPU comes, at the beginning and after a loss.
        checkpoint_interval_s: seconds from one checkpoint of a run to the next.
    """

    gpus: int = 1
    share: float = 1.0
    spot_loss: float = 0.0
    autoscale_delay_s: float = 0.0
    checkpoint_interval_s: float = 60.0

    @property
    def runs_per_gpu(self) -> int:
        """Runs that share a GPU."""
        return max(1, math.floor(1 / self.share + 1e-9))

    @property
    def slots(self) -> int:
        """Runs at a time."""
        return self.gpus * self.runs_per_gpu

    @classmethod
    def of(cls, space: SearchSpace, gpus: int, **more: float) -> Fleet:
        """A fleet for the runs of ``space``."""
        return cls(gpus=gpus, share=space.resources.gpu or 1.0, **more)

    def life_s(self, draws: np.random.Generator) -> float:
        """Seconds until a GPU is lost."""
        return float(draws.exponential(3600 / self.spot_loss)) if self.spot_loss > 0 else math.inf
