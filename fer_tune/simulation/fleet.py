"""The machines of a simulated search: how many trials run at a time, and since when."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fer_tune.space import SearchSpace


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """GPUs (or CPUs) that all run trials of the same share.

    Attributes:
        gpus: how many there are.
        share: of one that a trial holds: ``resources.gpu``, or 1.
        spot_loss: lost GPUs per GPU and hour; a trial on a lost one starts again elsewhere, from
            its last checkpoint.
        autoscale_delay_s: seconds after the beginning until a GPU is there, and after a loss until
            it is replaced.
        start_s: seconds from an assignment to the first epoch of a run, besides its own set-up.
        checkpoint_interval_s: training that a loss costs, at most, besides the running epoch.
    """

    gpus: int = 1
    share: float = 1.0
    spot_loss: float = 0.0
    autoscale_delay_s: float = 0.0
    start_s: float = 0.0
    checkpoint_interval_s: float = 60.0

    @property
    def slots(self) -> int:
        """Trials that run at a time."""
        return max(1, math.floor(self.gpus / self.share + 1e-9))

    @classmethod
    def of(cls, space: SearchSpace, gpus: int, **more: float) -> Fleet:
        """A fleet for the trials of ``space``, which may limit how many run at a time."""
        share = space.resources.gpu or 1.0
        limit = space.resources.max_concurrent
        slots = max(1, math.floor(gpus / share + 1e-9))
        if limit is not None and limit < slots:
            share = gpus / limit
        return cls(gpus=gpus, share=share, **more)  # type: ignore[arg-type]

    def life_s(self, draws: np.random.Generator) -> float:
        """Seconds until a GPU is lost, drawn anew for every run that starts on one."""
        return float(draws.exponential(3600 / self.spot_loss)) if self.spot_loss > 0 else math.inf
