"""Pareto fronts of score against cost: of the arms, and of the trials that were fully trained.

An arm or trial is on a front if no other is at least as good in score and cost and better in one.
Fronts use point estimates: a lead smaller than its interval counts, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from analysis.estimators.pareto import pareto_front
from analysis.inputs.search import Search
from analysis.inputs.units import arm_units
from analysis.report.quantities import Json, whole
from fer_tune.records import ELIGIBLE

#: Costs of a trial by column, with their units.
_TRIAL_COSTS = {"seconds_per_epoch": "s", "peak_memory_mib": "MiB"}
#: Most trials in the section; of more, all on a front and evenly spaced ones of the others.
MOST_POINTS = 160


def arm_fronts(search: Search, costs: Mapping[str, Sequence[float | None]]) -> Json:
    """Per cost the arms on the front of mean test macro-F1 against it, in the arms' order.

    Args:
        costs: by name a value per arm, None where unknown. An arm without a score or without a
            cost is on no front.
    """
    scores = np.array([_mean_score(search, arm) for arm in search.arms], dtype=np.float64)
    fronts = {
        name: pareto_front(scores, np.array(values, dtype=np.float64)[:, None])
        for name, values in costs.items()
    }
    return {
        name: [arm for arm, on in zip(search.arms, front, strict=True) if on]
        for name, front in fronts.items()
    }


def _mean_score(search: Search, arm: str) -> float | None:
    units = arm_units(search, arm)
    return float(units.values.mean()) if units.n else None


def trial_fronts(search: Search) -> Json:
    """Best validation value of every fully trained trial against time per epoch and memory."""
    trials = search.trials[search.trials["state"].isin(ELIGIBLE)]
    trials = trials.dropna(subset=[search.metric_column, "peak_memory_mib"])
    rows = search.epochs[search.epochs["trial"].isin(trials["trial"])]
    pace = rows.groupby("trial")["seconds"].median()
    trials = trials.assign(seconds_per_epoch=trials["trial"].map(pace)).dropna(
        subset=["seconds_per_epoch"]
    )
    sign = -1.0 if search.metric == "loss" else 1.0
    score = sign * trials[search.metric_column].to_numpy(dtype=np.float64)
    fronts = {
        cost: pareto_front(score, trials[[cost]].to_numpy(dtype=np.float64))
        for cost in _TRIAL_COSTS
    }
    shown = _thinned(np.any(list(fronts.values()), axis=0))
    return {
        "score_unit": f"validation {search.metric_name}",
        "units": dict(_TRIAL_COSTS),
        "trials": len(trials),
        "points": [_point(search, trials.iloc[i], fronts, int(i)) for i in shown],
    }


def _thinned(on_front: np.ndarray) -> np.ndarray:
    """Positions of all on a front and evenly spaced ones of the others, at most MOST_POINTS."""
    others = np.flatnonzero(~on_front)
    room = max(0, MOST_POINTS - int(on_front.sum()))
    if others.size > room:
        others = others[np.linspace(0, others.size - 1, room).astype(int)]
    return np.sort(np.concatenate([np.flatnonzero(on_front), others]))


def _point(
    search: Search, trial: pd.Series, fronts: Mapping[str, np.ndarray], position: int
) -> Json:
    return {
        "trial": int(trial["trial"]),
        "arm": str(trial["arm"]),
        "depth": whole(trial["unfreeze_depth"]),
        "crop": whole(trial["crop_size"]),
        "score": float(trial[search.metric_column]),
        **{cost: float(trial[cost]) for cost in _TRIAL_COSTS},
        "on_front": [cost for cost, front in fronts.items() if front[position]],
    }
