"""Rung fidelity: how well ranks at a rung predict final ranks, among trials trained to the end.

A trial's value at a rung is its best so far, which is what ASHA compares, and its final value its
best. Both are ranked within its study, and the ranks, from 0 to 1, pooled over an arm's studies.
Trials that ended at or before a rung are excluded. Trials that ASHA stopped have no final value,
except audited ones, so the correlation is over those that passed; over all trials it would be
larger.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.estimators.tuning.rank_fidelity import spearman
from analysis.inputs.search import Search
from analysis.report.ends import ran_on
from analysis.report.quantities import Json, estimated

_UNIT = "rank correlation, -1 to 1"


def rungs(search: Search) -> tuple[int, ...]:
    """ASHA's rungs below the last epoch; none without ASHA."""
    scheduler = search.get("space", "scheduler", default={})
    last = search.get("space", "budget", "max_epochs", default=0)
    if scheduler.get("kind") != "asha":
        return ()
    epochs, rung = [], int(scheduler["grace_epochs"])
    while rung < last:
        epochs.append(rung)
        rung *= int(scheduler["reduction_factor"])
    return tuple(epochs)


def fidelity_section(search: Search) -> list[Json]:
    """Per rung and arm the rank correlation of values at the rung and final values."""
    best = _best_so_far(search)
    own = search.trials[ran_on(search.trials)].set_index("trial")
    own = own.assign(final=best.groupby("trial")["value"].last().reindex(own.index))
    return [
        {
            "epoch": rung,
            "arms": [
                {"arm": arm, "correlation": _correlation(own[own["arm"] == arm], best, rung)}
                for arm in search.arms
            ],
        }
        for rung in rungs(search)
    ]


def _best_so_far(search: Search) -> pd.DataFrame:
    """Columns ``trial``, ``epoch``, ``value``: the best value by then, larger is better.

    An epoch with a non-finite loss has no value, as in the search itself.
    """
    rows = search.epochs[search.epochs["cohort"] != "confirm"].sort_values(["trial", "epoch"])
    sign = -1.0 if search.metric == "loss" else 1.0
    value = (sign * rows[f"val_{search.metric}"]).where(np.isfinite(rows["val_loss"]))
    best = value.groupby(rows["trial"]).cummax()
    return rows[["trial", "epoch"]].assign(value=best)


def _correlation(own: pd.DataFrame, best: pd.DataFrame, rung: int) -> Json | None:
    reached = best[best["epoch"] == rung].set_index("trial")["value"]
    further = own[own["epochs"] > rung]
    pairs = further[["replicate", "final"]].assign(rung=reached.reindex(further.index)).dropna()
    studies = pairs.groupby("replicate")
    # The only trial of its study has no rank in it.
    pairs = pairs[studies["final"].transform("size") > 1]
    if pairs.empty:
        return None
    ranks = pairs.groupby("replicate")[["rung", "final"]].rank()
    size = pairs.groupby("replicate")["final"].transform("size")
    scaled = ranks.sub(0.5).div(size, axis=0)
    # A study's ranks have a fixed sum, so the last one is not free.
    free = len(pairs) - pairs["replicate"].nunique() + 1
    estimate = spearman(scaled["rung"], scaled["final"], effective=free)
    return estimated(estimate, unit=_UNIT, of="trials, ranked within their study")
