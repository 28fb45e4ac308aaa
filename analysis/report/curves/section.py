"""Learning curves: each trial's if there are few, quantiles if there are many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.inputs.search import Search
from analysis.report.curves.onset_estimates import latest_visible, onset_section
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, plain, whole

#: The series that are drawn, with their units.
SERIES = {
    "train_loss": "nats",
    "val_loss": "nats",
    "val_macro_f1": "macro-F1, 0 to 1",
}
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
#: Most trials per arm, and epochs of all arms together, with a curve for each trial.
MOST_TRIALS, MOST_EPOCHS = 40, 1000
#: Fewest trials at an epoch for quantiles.
FEWEST = 5


def section(evidence: Evidence) -> Json:
    """Per arm the curves of the search's trials, and when they overfit.

    Confirmation runs are excluded: they repeat the chosen configuration.
    """
    search = evidence.search
    epochs = search.epochs[search.epochs["cohort"] != "confirm"]
    per_arm = epochs.groupby("arm")["trial"].nunique()
    each = bool((per_arm <= MOST_TRIALS).all()) and len(epochs) <= MOST_EPOCHS
    return {
        "units": dict(SERIES),
        "max_epochs": search.get("space", "budget", "max_epochs"),
        "stopper": bool(search.get("space", "stopper", "enabled", default=False)),
        "stopper_spares": _spared_by_stopper(search),
        "patience": search.get("space", "stopper", "patience"),
        "latest_visible": latest_visible(search),
        "each_trial": each,
        "arms": [_arm(evidence, arm, epochs[epochs["arm"] == arm], each) for arm in search.arms],
        "onsets": [onset_section(search, arm) for arm in search.arms],
    }


def _spared_by_stopper(search: Search) -> str | None:
    """The metric that lets a trial continue despite an onset; None for none.

    A loss cannot improve after an onset.
    """
    spares = search.training_versions[0] > 1 and search.metric != "loss"
    return search.metric_name if spares else None


def _arm(evidence: Evidence, arm: str, epochs: pd.DataFrame, each: bool) -> Json:
    search = evidence.search
    chosen = set(search.chosen[arm])
    drawn = epochs if each else epochs[epochs["trial"].isin(chosen)]
    ended = search.trials.set_index("trial")
    return {
        "arm": arm,
        "trials": int(epochs["trial"].nunique()),
        "curves": [_curve(int(str(n)), rows, ended, chosen) for n, rows in drawn.groupby("trial")],
        "bands": None if each else _bands(epochs),
    }


def _curve(number: int, rows: pd.DataFrame, ended: pd.DataFrame, chosen: set[int]) -> Json:
    row: Any = ended.loc[number] if number in ended.index else None
    return {
        "trial": number,
        "state": "running" if row is None else str(row["state"]),
        "chosen": number in chosen,
        "onset_epoch": None if row is None else whole(row["onset_epoch"]),
        "epochs": rows["epoch"].tolist(),
        **{name: [_brief(value) for value in rows[name].tolist()] for name in SERIES},
    }


def _bands(epochs: pd.DataFrame) -> Json:
    """Quantiles per epoch over the trials that reached it; epochs of few trials are excluded."""
    by_epoch = epochs.groupby("epoch")
    # Non-finite losses are not counted.
    ran = by_epoch["val_loss"].count()
    shown = [int(epoch) for epoch in ran.index[ran >= FEWEST]]
    found: dict[str, pd.DataFrame] = {
        name: by_epoch[name].quantile(np.array(QUANTILES)).unstack() for name in SERIES
    }
    return {
        "quantiles": list(QUANTILES),
        "epochs": shown,
        "trials": [int(ran[epoch]) for epoch in shown],
        **{
            name: [[_brief(v) for v in row] for row in table.loc[shown].to_numpy().tolist()]
            for name, table in found.items()
        },
    }


def _brief(value: float) -> float | None:
    """Six significant digits: as many as a single-precision loss holds."""
    number: float | None = plain(float(f"{value:.6g}"))
    return number
