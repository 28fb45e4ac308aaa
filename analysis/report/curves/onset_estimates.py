"""Onset of overfitting by arm and unfreeze depth, generalisation gap, and macro-F1 after the onset.

The onset is an epoch of one trial (:func:`fer_tune.curves.overfit_onset`), the minimum of its
smoothed validation loss. A trial counts in a median

* with its onset, if it has one;
* as not reached (censored), if it ran through all epochs without one;
* not at all, if it ended before either: stopped by ASHA, diverged, failed. Trials that overfit
  early meet fewer rungs, so excluding these makes medians slightly too early.

Medians treat trials as independent, which trials proposed by the sampler are not.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.estimators.tuning.order_median import median_interval
from analysis.inputs.search import Search
from analysis.report.ends import allowed, ran_on
from analysis.report.quantities import SHARE, Json, estimated, quantity

EPOCH = "epoch, from 1"

#: Onset of each backbone in manual fine-tuning, before this project.
BY_HAND = {"densenet161": 15, "resnet152": 5}


def latest_visible(search: Search) -> int | None:
    """The last epoch at which an onset can be observed: losses must rise after it."""
    longest = search.get("space", "budget", "max_epochs")
    patience = search.get("space", "stopper", "patience")
    if longest is None or patience is None:
        return None
    return max(0, int(longest) - int(patience))


def onset_section(search: Search, arm: str) -> Json:
    """Onset over all depths and by depth, manual onset, gap, late best."""
    trials = search.trials[search.trials["arm"] == arm]
    depths = sorted(int(depth) for depth in trials["unfreeze_depth"].dropna().unique())
    backbone = str(search.get("arms", arm, "backbone", default=arm))
    return {
        "arm": arm,
        "by_hand": BY_HAND.get(backbone),
        "all": _onset(search, trials),
        "depths": [
            {"depth": depth, **_onset(search, trials[trials["unfreeze_depth"] == depth])}
            for depth in depths
        ],
        "gap": _gap(trials),
        "late_best": _late_best(search, trials),
    }


def _onset(search: Search, trials: pd.DataFrame) -> Json:
    """Median onset of ``trials``; an onset beyond the shortest budget counts as not reached."""
    length = allowed(search, trials)
    shown = trials["onset_epoch"].notna()
    through = ~shown & (trials["epochs"] >= length) & ran_on(trials)
    counted = trials[shown | through]
    onsets = counted["onset_epoch"].astype(float).fillna(np.inf).to_numpy()
    # Merged searches may differ in length: all are censored at the shortest.
    onsets = np.where(onsets <= length[counted.index].min(), onsets, np.inf)
    median = median_interval(onsets) if onsets.size else None
    return {
        "median": estimated(median, unit=EPOCH, of="trials"),
        "overfitted": int(np.isfinite(onsets).sum()),
        "not_reached": int(np.isinf(onsets).sum()),
        "left_out": len(trials) - len(counted),
        "unit": "trials",
    }


def _gap(trials: pd.DataFrame) -> Json | None:
    gaps = trials.loc[ran_on(trials), "generalisation_gap"].to_numpy(dtype=np.float64)
    gaps = gaps[np.isfinite(gaps)]
    if not gaps.size:
        return None
    unit = "nats, validation minus training loss at the best epoch"
    return estimated(median_interval(gaps), unit=unit, of="trials trained to the end")


def _late_best(search: Search, trials: pd.DataFrame) -> Json:
    """Share of overfitted trials whose best macro-F1 came after their onset."""
    overfitted = trials[trials["onset_epoch"].notna()]
    rows = search.epochs[search.epochs["trial"].isin(overfitted["trial"])]
    rows = rows[rows["val_macro_f1"].notna()]
    best = rows.loc[rows.groupby("trial")["val_macro_f1"].idxmax()].set_index("trial")["epoch"]
    onset = overfitted.set_index("trial")["onset_epoch"]
    later = (best - onset).dropna().to_numpy(dtype=np.float64)
    of = "trials that overfitted"
    if not later.size:
        return {"share": None, "epochs": None}
    return {
        "share": quantity(
            float((later > 0).mean()),
            unit=SHARE,
            n=later.size,
            of=of,
            estimator="share with the best validation macro-F1 after the onset; descriptive",
        ),
        "epochs": estimated(
            median_interval(later), unit="epochs from onset to best macro-F1", of=of
        ),
    }
