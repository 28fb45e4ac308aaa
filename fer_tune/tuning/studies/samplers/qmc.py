"""Quasi-Monte Carlo: scrambled Sobol points, which fill the space more evenly than random ones.

Optuna's QMCSampler draws the same points, but counts them in the study, which a resumed search
does not have, and before Optuna 5 it draws choices at random beside them.
"""

from __future__ import annotations

from typing import Any

import optuna
from optuna.distributions import BaseDistribution

from fer_tune.tuning.studies.samplers.proposing import JointSampler
from fer_tune.tuning.studies.samplers.unit_cube import from_cube

#: Points between those of one attempt and the next: more than a study has trials as a rule.
_STRIDE = 1 << 16


class SobolSampler(JointSampler):
    """The point of one trial in the study's sequence.

    Args:
        seed: of the sequence.
        position: of the trial among those of this sampler, from 0.
        attempt: rejected proposals for it, which are replaced by points far behind.
    """

    def __init__(
        self, known: dict[str, BaseDistribution], seed: int, position: int, attempt: int
    ) -> None:
        super().__init__(known)
        self._seed, self._index = seed, position + attempt * _STRIDE

    def propose(self, study: optuna.Study) -> dict[str, Any]:
        from scipy.stats import qmc  # takes long to import

        sequence = qmc.Sobol(len(self._known), scramble=True, rng=self._seed)
        if self._index:
            sequence.fast_forward(self._index)
        return from_cube(self._known, sequence.random(1)[0])
