"""What our samplers have in common: all parameters are proposed at once, from the trials."""

from __future__ import annotations

from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial


class JointSampler(optuna.samplers.BaseSampler):
    """Proposes values of all parameters at once.

    Args:
        known: the parameters, each with more than one value.
    """

    def __init__(self, known: dict[str, BaseDistribution]) -> None:
        self._known = known

    def propose(self, study: optuna.Study) -> dict[str, Any]:
        """The values of the next trial."""
        raise NotImplementedError

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._known

    def sample_relative(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        search_space: dict[str, BaseDistribution],
    ) -> dict[str, Any]:
        return self.propose(study) if search_space else {}

    def sample_independent(
        self,
        study: optuna.Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        raise AssertionError(f"{param_name} is none of the sampler's parameters")
