"""TPE: Optuna's, multivariate, with a constant liar for the trials that run."""

from __future__ import annotations

import warnings
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

#: Completed trials that TPE needs before it builds a model.
STARTUP_TRIALS = 2


class KnownSpaceTPE(optuna.samplers.TPESampler):
    """TPE for a study whose trials all have the same parameters.

    It proposes what ``group=True`` does, which collects the parameters from all earlier trials at
    every proposal: in large studies that took most of the time.

    Args:
        known: the parameters.
    """

    def __init__(self, known: dict[str, BaseDistribution], **options: Any) -> None:
        super().__init__(**options)
        # In the order in which TPE sorts those that it collects.
        self._known = {name: known[name] for name in sorted(known) if not known[name].single()}

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return self._known


def make_tpe(known: dict[str, BaseDistribution] | None, seed: int) -> optuna.samplers.BaseSampler:
    """TPE for one proposal.

    Args:
        known: the parameters; None where trials of one study differ in them.
    """
    with warnings.catch_warnings():
        # Optuna warns at every use that these options are experimental.
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        options: dict[str, Any] = {
            "seed": seed,
            "n_startup_trials": STARTUP_TRIALS,
            "multivariate": True,
            "constant_liar": True,
        }
        if known is None:
            return optuna.samplers.TPESampler(group=True, **options)
        return KnownSpaceTPE(known, **options)
