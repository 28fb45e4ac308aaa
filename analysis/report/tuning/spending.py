"""The anytime curve: the best validation score so far against the cost so far.

All cohorts are included, stopped trials with their best score so far. The cost of a trial is
counted when it ends. Descriptive: another search of the same space would differ.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.estimators.estimate import Floats
from analysis.estimators.tuning.anytime import anytime
from analysis.inputs.search import Search
from analysis.report.quantities import Json, quantity
from analysis.report.resource import resource_name, resource_of

#: Most points of the median over studies.
_POINTS = 80


def spending_sections(search: Search) -> Json:
    """Per arm a step curve per study and the median over them.

    Costs are accelerator-seconds, or CPU-seconds where no run held an accelerator.
    """
    resource = resource_of(search)
    name, column = resource_name(resource), f"{resource}_seconds"
    return {
        "resource": name,
        "cost_unit": f"{name}-seconds",
        "unit": f"validation {search.metric_name}",
        "arms": [_arm(search, arm, column, f"{name}-seconds") for arm in search.arms],
    }


def _arm(search: Search, arm: str, column: str, unit: str) -> Json:
    trials = search.trials[search.trials["arm"] == arm]
    steps = {
        int(str(replicate)): _steps(search, study, column)
        for replicate, study in trials.groupby("replicate")
    }
    median = _median(list(steps.values())) if steps else (np.empty(0), np.empty(0))
    sign = _sign(search)
    return {
        "arm": arm,
        "studies": [
            {"replicate": replicate, **_curve(*_improvements(cost, best), sign)}
            for replicate, (cost, best) in steps.items()
        ],
        "median": _curve(*median, sign),
        "spent": quantity(
            float(sum(cost[-1] for cost, _ in steps.values())),
            unit=unit,
            n=len(trials),
            of="trials",
            estimator="sum over ended trials",
        ),
    }


def _steps(search: Search, study: pd.DataFrame, column: str) -> tuple[Floats, Floats]:
    """Cost and best so far when each trial of a study ended, (n,) each; larger is better."""
    end = study["started"].fillna(0) + study["setup_seconds"].fillna(0) + study["seconds"].fillna(0)
    ordered = study.loc[end.sort_values(kind="stable").index]
    values = ordered[search.metric_column].to_numpy(dtype=np.float64, na_value=np.nan)
    return anytime(ordered[column].fillna(0).to_numpy(dtype=np.float64), _sign(search) * values)


def _improvements(cost: Floats, best: Floats) -> tuple[Floats, Floats]:
    """The steps at which the best improves, and the last: the same curve in fewer points."""
    scored = np.isfinite(best)
    cost, best = cost[scored], best[scored]
    changes = np.append(True, np.diff(best) > 0) if best.size else np.empty(0, dtype=bool)
    changes[-1:] = True
    return cost[changes], best[changes]


def _median(steps: list[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """Median over studies of the best so far, up to the cost at which the first study ends."""
    last = min(cost[-1] for cost, _ in steps)
    costs = np.unique(np.concatenate([np.append(cost[cost <= last], last) for cost, _ in steps]))
    worst = [(cost, np.where(np.isnan(best), -np.inf, best)) for cost, best in steps]
    values = np.stack([_at(costs, cost, best) for cost, best in worst])
    middle: Floats = np.median(values, axis=0)
    known = np.isfinite(middle)
    cost, best = _improvements(costs[known], middle[known])
    if cost.size > _POINTS:
        points = np.unique(np.rint(np.linspace(0, cost.size - 1, _POINTS)).astype(int))
        cost, best = cost[points], best[points]
    return cost, best


def _at(costs: Floats, cost: Floats, best: Floats) -> Floats:
    """A study's best at ``costs``; -inf before its first trial ended."""
    place = np.searchsorted(cost, costs, side="right") - 1
    found: Floats = np.where(place >= 0, best[np.maximum(place, 0)], -np.inf)
    return found


def _curve(cost: Floats, best: Floats, sign: int) -> Json:
    return {"cost": [float(f"{c:.6g}") for c in cost], "best": (sign * best).tolist()}


def _sign(search: Search) -> int:
    return -1 if search.metric == "loss" else 1
