"""The surrogate of an arm, fitted to the records of searches.

Extremely randomised trees (Geurts et al. 2006, scikit-learn) predict from a configuration
the scores, losses and time of the first epoch, and from configuration, epoch and scores so far by
how much each changes in a later one. Changes, not levels: at late epochs only the trials that ASHA
spared were recorded, whose levels say nothing of the others.

The trees are grown on curves without noise (:mod:`noise`). Each simulated search has a surrogate of
its own, with a few of them: searches differ by what the records leave open, and not by the noise of
their runs alone.

Times are heavy-tailed: the first trials of a search compute the features that later ones read from
the bank, or wait for them, and confirmation runs have other seeds, so that less is reused. A
simulated run has the set-up of a recorded run of its kind, and its seconds beyond the predicted
ones: of first trials and confirmation runs by epoch, of others as a ratio.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any, Literal

import numpy as np
import pandas as pd

from fer_tune.simulation.recorded.curve_trees import SCORES, SECONDS, CurveTrees, curves_of
from fer_tune.simulation.recorded.noise import Noise, estimate, predicted_unseen, without_noise
from fer_tune.simulation.world import Floats, coordinates
from fer_tune.space import SearchSpace, TrialConfig

#: Configurations of an arm, and epochs of each, that a surrogate needs at least.
FEWEST_CONFIGURATIONS = 8
FEWEST_EPOCHS = 2

#: Share of an arm's trials that compute features for the others, at most.
_MOST_COMPUTING = 0.25
#: Seconds of an epoch are at least this share of the predicted ones.
_FASTEST = 0.1
#: Draws of a curve's noise, of which the optimism of its best epoch is the mean.
_DRAWS = 400
_SEED = 1947

Fate = Literal["ended", "oom", "diverged"]


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Times of a run.

    Attributes:
        setup_s: seconds outside its epochs: set-up and, of confirmation runs, scoring on test.
        factor: ratio of the seconds of its epochs to the predicted ones.
        extra_s: by epoch, seconds beyond that, such as those for features.
    """

    setup_s: float = 0.0
    factor: float = 1.0
    extra_s: tuple[float, ...] = ()

    def seconds(self, predicted: Floats) -> Floats:
        """By epoch, from what is predicted of others."""
        found = self.factor * predicted
        count = min(len(self.extra_s), len(found))
        found[:count] += self.extra_s[:count]
        return np.maximum(found, _FASTEST * predicted)


@dataclass(frozen=True, kw_only=True)
class ArmSurrogate:
    """The surrogate of one arm.

    Attributes:
        fates: how its recorded trials ended, with their points.
        failed_share: of runs that end with an error.
        test_gap: mean of test macro-F1 minus validation macro-F1 over confirmation runs, with the
            optimism of the best epoch added, which simulated test curves do not have.
        computing: of the first trials, as far as they computed features or waited, in their order.
        searching, confirming: of other trials, some of which may have computed, and of
            confirmation runs; where none is recorded, those of the other kinds.
    """

    trees: CurveTrees
    noise: Noise
    points: Floats
    fates: tuple[Fate, ...]
    failed_share: float
    test_gap: float
    computing: tuple[Pace, ...]
    searching: tuple[Pace, ...]
    confirming: tuple[Pace, ...]

    def drawn(self, draws: np.random.Generator) -> ArmSurrogate:
        """One of the surrogates that the records allow: some of the trees, and the times of runs
        that are drawn with replacement."""

        def again(paces: tuple[Pace, ...]) -> tuple[Pace, ...]:
            return tuple(paces[k] for k in draws.integers(len(paces), size=len(paces)))

        return replace(
            self,
            trees=self.trees.drawn(draws),
            searching=again(self.searching),
            confirming=again(self.confirming),
        )

    def fate(self, point: Floats, draws: np.random.Generator) -> Fate:
        """How a configuration ends: as one of its nearest recorded neighbours."""
        if not self.fates:
            return "ended"
        near = np.argsort(((self.points - point) ** 2).sum(axis=1), kind="stable")[:3]
        return self.fates[int(draws.choice(near))]

    def pace(self, cohort: str, rank: int, draws: np.random.Generator) -> Pace:
        """That of a recorded run of the same kind.

        Args:
            rank: of a trial within its arm, from 0 (roughly, where arms are sampled). The first
                ones compute features.
        """
        if cohort != "confirm" and rank < len(self.computing):
            return self.computing[rank]
        paces = self.confirming if cohort == "confirm" else self.searching
        return paces[int(draws.integers(len(paces)))]


def fit_arm(
    recorded: SearchSpace, arm: str, trials: pd.DataFrame, epochs: pd.DataFrame, metric: str
) -> ArmSurrogate:
    """Fits the surrogate of one arm.

    Args:
        recorded: the search space of the records.
        trials: the ``trials`` table with confirmation runs.
        epochs: the ``epochs`` table.
        metric: whose noise is estimated, such as ``val_macro_f1``.
    """
    searching_trials = trials[trials["cohort"] != "confirm"]
    trials = trials[trials["arm"] == arm]
    points = {
        int(row["trial"]): coordinates(recorded, arm, config_of(row))
        for row in trials.to_dict("records")
    }
    curves = {t: c for t, c in curves_of(epochs).items() if t in points}
    able = trials[trials["state"] != "failed"]
    confirmed = trials[trials["test_macro_f1"].notna()]
    gap = (confirmed["test_macro_f1"] - confirmed["best_val_macro_f1"]).mean()
    confirmation = set(trials.loc[trials["cohort"] == "confirm", "trial"])
    computing = _computing(epochs, searching_trials) & curves.keys()
    if len(computing) > _MOST_COMPUTING * (len(curves) - len(confirmation)):
        computing = set()  # it is what a trial costs: the bank does not keep what they need
    special = confirmation | computing
    alike = _timed_as_others(points, curves, special)
    unseen = predicted_unseen(points, alike)
    noise = estimate(unseen, alike, confirmed, metric)
    trees = CurveTrees(points, without_noise(unseen, alike, noise.kept))
    paces = _paces(trees, points, curves, _outside(trials, epochs), special)
    first = _first(computing, curves.keys() - confirmation)
    searching = tuple(p for t, p in paces.items() if t not in confirmation and t not in first)
    confirming = tuple(pace for t, pace in paces.items() if t in confirmation)
    if metric != "val_loss":  # whose noise is on another scale than the test score
        chosen = [(points[t], len(curves[t])) for t in confirmed["trial"] if t in curves]
        gap += _optimism(trees, noise, chosen, SCORES.index(metric))
    return ArmSurrogate(
        trees=trees,
        noise=noise,
        points=np.array([points[int(t)] for t in able["trial"]]),
        fates=tuple(_fate(str(state)) for state in able["state"]),
        failed_share=float((trials["state"] == "failed").mean()),
        test_gap=0.0 if np.isnan(gap) else float(gap),
        computing=tuple(paces[t] for t in first),
        searching=searching or confirming,
        confirming=confirming or searching,
    )


def _computing(epochs: pd.DataFrame, trials: pd.DataFrame) -> set[int]:
    """Trials that computed features, and those that may have waited for them, of whatever arm."""
    if "bank_misses" not in epochs:
        return set()
    missing = epochs[epochs["bank_misses"] > 0].groupby("trial")["epoch"].max()
    until = epochs["trial"].map(missing)
    computed_s = epochs[epochs["epoch"] <= until].groupby("trial")["seconds"].sum()
    at_work = trials[trials["trial"].isin(missing.index)]
    begins = at_work["started"].to_numpy(dtype=float)
    ends = begins + (at_work["setup_seconds"] + at_work["trial"].map(computed_s)).to_numpy()
    waited = [bool(((begins <= one) & (one < ends)).any()) for one in trials["started"]]
    return {*at_work["trial"].astype(int), *trials.loc[waited, "trial"].astype(int)}


def _first(computing: set[int], trials: Collection[int]) -> list[int]:
    """Those with which the trials of an arm begin. Others, such as those of a later search or the
    first ones of a crop size, are as likely at any time."""
    return list(takewhile(computing.__contains__, sorted(trials)))


def _timed_as_others(
    points: Mapping[int, Floats], curves: Mapping[int, Floats], special: set[int]
) -> dict[int, Floats]:
    """The curves, those of ``special`` runs with the times that others would have had."""
    others = {t: curve for t, curve in curves.items() if t not in special}
    found = dict(curves)
    if len(others) == len(curves) or not any(len(curve) > 1 for curve in others.values()):
        return found
    trees = CurveTrees(points, others)
    for t in curves.keys() & special:
        own = curves[t].copy()
        own[:, SECONDS] = trees.curve(points[t], len(own))[:, SECONDS]
        found[t] = own
    return found


def _outside(trials: pd.DataFrame, epochs: pd.DataFrame) -> dict[int, float]:
    """By trial, seconds outside its epochs."""
    trained = epochs.groupby("trial")["seconds"].agg(lambda own: own.sum(skipna=False))
    runs = trials.set_index("trial")
    rest = (runs["seconds"] - trained.reindex(runs.index)).clip(lower=0.0).fillna(0.0)
    return {int(t): float(s) for t, s in (runs["setup_seconds"].fillna(0.0) + rest).items()}  # type: ignore[call-overload]


def _paces(
    trees: CurveTrees,
    points: Mapping[int, Floats],
    curves: Mapping[int, Floats],
    outside: Mapping[int, float],
    special: set[int],
) -> dict[int, Pace]:
    """By trial; of one without an epoch nothing is known. ``special`` runs take longer in the
    epochs in which they compute, others in all of them."""
    found = {}
    for t, curve in curves.items():
        expected = np.exp(trees.curve(points[t], len(curve))[:, SECONDS])
        taken = np.exp(curve[:, SECONDS])
        if t in special:
            found[t] = Pace(setup_s=outside[t], extra_s=tuple((taken - expected).tolist()))
        else:
            found[t] = Pace(setup_s=outside[t], factor=float(taken.sum() / expected.sum()))
    return found


def _optimism(
    trees: CurveTrees, noise: Noise, runs: Sequence[tuple[Floats, int]], column: int
) -> float:
    """By how much the best of the epochs' noisy scores exceeds that epoch's curve, on average.

    Args:
        runs: point and epochs of each.
    """
    draws, found = np.random.default_rng(_SEED), []
    for point, epochs in runs:
        curve = trees.curve(point, epochs)[:, column]
        wobble = np.array([noise.wobble(epochs, draws)[:, 0] for _ in range(_DRAWS)])
        best = (curve + wobble).argmax(axis=1)
        found.append(wobble[np.arange(_DRAWS), best].mean())
    return float(np.mean(found)) if found else 0.0


def config_of(row: Mapping[Any, Any]) -> TrialConfig:
    """The configuration of a row of ``trials``; what an older table lacks has its default."""
    return TrialConfig.from_dict({str(k): v for k, v in row.items() if pd.notna(v)})


def _fate(state: str) -> Fate:
    return state if state in ("oom", "diverged") else "ended"  # type: ignore[return-value]
