"""Hyperparameter importance of an arm by PED-ANOVA, with a chance level by permutation.

PED-ANOVA compares, parameter by parameter, where the best trials lie with where all lie: the
importance is the Pearson divergence of the two densities. It is Optuna's; see Watanabe, Bansal
and Hutter, "PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary
Subspaces", IJCAI 2023, theorem 1 and equation 16.

Only trials with a final value count: a stopped trial has none, and ranking it by its best value so
far would measure which parameters learn slowly.

With few trials densities differ by chance, and shares always add up to 1. Hence importance is also
computed with randomly permuted scores: an irrelevant parameter exceeds the largest of its
:data:`SHUFFLES` shares under permuted scores with probability 1 / (:data:`SHUFFLES` + 1), 5 %
(Barnard's Monte Carlo test, Journal of the Royal Statistical Society B 25, 1963, p. 294).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

import numpy as np
from optuna.importance import PedAnovaImportanceEvaluator
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from analysis.estimators.estimate import Floats
from analysis.inputs.studies import ArmStudy

#: Fewest trials with a final value for an importance.
NEEDED = 10
#: The best trials: this share, and at least as many as Optuna recommends.
BEST_SHARE, BEST = 0.1, 5
#: Random permutations of the scores.
SHUFFLES = 19


@dataclass(frozen=True, kw_only=True)
class Importance:
    """Importance of one arm's hyperparameters.

    Attributes:
        shares: by parameter, in [0, 1], adding up to 1 (all 0 where nothing differs at all).
        noise: by parameter, its largest share under permuted scores, in [0, 1].
        trials: with a final value.
        best: of these, how many have their density compared with that of all: the best share,
            rounded up, and what ties with its last.
    """

    shares: Mapping[str, float]
    noise: Mapping[str, float]
    trials: int
    best: int


def finished(rebuilt: ArmStudy) -> list[FrozenTrial]:
    """The trials that have a final value."""
    return rebuilt.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def evaluator_for(trials: int) -> PedAnovaImportanceEvaluator:
    """PED-ANOVA that compares the best tenth, but at least :data:`BEST` of ``trials``, with all."""
    return PedAnovaImportanceEvaluator(target_quantile=_best_share(trials))


def _best_share(trials: int) -> float:
    """Share of the trials that count as the best, in (0, 1)."""
    return max(BEST_SHARE, BEST / trials)


def importance(rebuilt: ArmStudy, rng: np.random.Generator) -> Importance | None:
    """Importance in a rebuilt study; None with fewer than :data:`NEEDED` final values.

    Args:
        rng: permutes the scores.
    """
    trials, names = finished(rebuilt), list(rebuilt.parameters)
    if len(trials) < NEEDED or not names:
        return None
    evaluator = evaluator_for(len(trials))
    found = _shares(evaluator.evaluate(rebuilt.study, names))
    values = np.array([trial.value for trial in trials], dtype=np.float64)
    permuted = [_permuted(rebuilt, evaluator, rng.permutation(values)) for _ in range(SHUFFLES)]
    return Importance(
        shares={name: found[name] for name in names},
        noise={name: max(one[name] for one in permuted) for name in names},
        trials=len(trials),
        best=_best(rebuilt, values),
    )


def _best(rebuilt: ArmStudy, values: Floats) -> int:
    """How many of ``values`` (n,) PED-ANOVA counts as the best, by the rule of its filter."""
    losses = _losses(rebuilt, values)
    cutoff = ceil(_best_share(losses.size) * losses.size) - 1
    return int((losses <= np.partition(losses, cutoff)[cutoff]).sum())


def _losses(rebuilt: ArmStudy, values: Floats) -> Floats:
    """``values`` with the better end low."""
    return -values if rebuilt.study.direction is StudyDirection.MAXIMIZE else values


def _shares(found: Mapping[str, float]) -> dict[str, float]:
    whole = sum(found.values()) or 1.0
    return {name: value / whole for name, value in found.items()}


def _permuted(
    rebuilt: ArmStudy, evaluator: PedAnovaImportanceEvaluator, values: Floats
) -> dict[str, float]:
    """Shares as if trial ``i`` had the i-th value."""
    numbers = [trial.number for trial in finished(rebuilt)]
    # For a target, low values count as good, and ties with the last are included.
    value_of = dict(zip(numbers, _losses(rebuilt, values).tolist(), strict=True))
    with warnings.catch_warnings():
        # Optuna warns about that at every call.
        warnings.simplefilter("ignore", UserWarning)
        found = evaluator.evaluate(
            rebuilt.study, list(rebuilt.parameters), target=lambda trial: value_of[trial.number]
        )
    return _shares(found)
