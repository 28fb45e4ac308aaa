"""Learning curves: of every trial where they are few, as quantiles where they are many."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, plain, whole
from analysis.report.sections.onsets import latest_visible, onset_sections

#: What is drawn, with its unit.
SERIES = {
    "train_loss": "nats",
    "val_loss": "nats",
    "val_macro_f1": "macro-F1, 0 to 1",
}
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
#: Most trials per arm, and epochs of all arms together, whose every curve is told.
MOST_TRIALS, MOST_EPOCHS = 40, 1000
#: Fewest trials at an epoch of which quantiles are told.
FEWEST = 5


def section(evidence: Evidence) -> Json:
    """Per arm the curves of the search's trials, and when they overfit.

    Confirmation runs are left out: they repeat the chosen configuration.
    """
    search = evidence.search
    epochs = search.epochs[search.epochs["cohort"] != "confirm"]
    per_arm = epochs.groupby("arm")["trial"].nunique()
    each = bool((per_arm <= MOST_TRIALS).all()) and len(epochs) <= MOST_EPOCHS
    return {
        "units": dict(SERIES),
        "max_epochs": search.get("space", "budget", "max_epochs"),
        "stopper": bool(search.get("space", "stopper", "enabled", default=False)),
        "patience": search.get("space", "stopper", "patience"),
        "latest_visible": latest_visible(search),
        "each_trial": each,
        "arms": [_arm(evidence, arm, epochs[epochs["arm"] == arm], each) for arm in search.arms],
        "onsets": onset_sections(search),
    }


def _arm(evidence: Evidence, arm: str, epochs: pd.DataFrame, each: bool) -> Json:
    search = evidence.search
    chosen = set(search.chosen()[arm])
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
    """Quantiles per epoch over the trials that ran it; epochs that few ran are left out."""
    by_epoch = epochs.groupby("epoch")
    # A loss that is not finite has no place in a quantile.
    ran = by_epoch["val_loss"].count()
    kept = [int(epoch) for epoch in ran.index[ran >= FEWEST]]
    found: dict[str, pd.DataFrame] = {
        name: by_epoch[name].quantile(np.array(QUANTILES)).unstack() for name in SERIES
    }
    return {
        "quantiles": list(QUANTILES),
        "epochs": kept,
        "trials": [int(ran[epoch]) for epoch in kept],
        **{
            name: [[_brief(v) for v in row] for row in table.loc[kept].to_numpy().tolist()]
            for name, table in found.items()
        },
    }


def _brief(value: float) -> float | None:
    """Six significant digits: as many as a single-precision loss holds."""
    number: float | None = plain(float(f"{value:.6g}"))
    return number
