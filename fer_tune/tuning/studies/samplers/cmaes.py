"""CMA-ES (Hansen 2016, "The CMA Evolution Strategy: A Tutorial") on the unit cube.

Optuna's CmaEsSampler pickles its state into attributes of the trials, and ignores trials that were
asked for before a generation ended. Here the strategy is replayed at every proposal: ended trials,
in order of asking, fill one generation after the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution

from fer_tune.tuning.studies.samplers.proposing import JointSampler
from fer_tune.tuning.studies.samplers.seen import seen
from fer_tune.tuning.studies.samplers.unit_cube import from_cube

#: Standard deviation of the first generation around the centre; as Optuna's.
_SIGMA = 1 / 6


class EvolutionSampler(JointSampler):
    """A proposal of CMA-ES after all ended trials."""

    def __init__(self, known: dict[str, BaseDistribution], seed: int) -> None:
        super().__init__(known)
        self._seed = seed

    def propose(self, study: optuna.Study) -> dict[str, Any]:
        from cmaes import CMA

        size = len(self._known)
        strategy = CMA(
            mean=np.full(size, 0.5),
            sigma=_SIGMA,
            bounds=np.array([[0.0, 1.0]] * size),
            seed=self._seed,
        )
        trials = seen(study, self._known)
        each = strategy.population_size
        for first in range(0, len(trials.losses) - each + 1, each):
            generation = slice(first, first + each)
            strategy.tell(
                list(zip(trials.points[generation], trials.losses[generation], strict=True))
            )
        return from_cube(self._known, strategy.ask())
