"""Selection optimism: how far the best validation score exceeds the test score.

The best of many validation scores is high partly by luck, so it falls when the same configuration
is retrained. The rest of the gap is between the validation and the test split, the choice of the
best epoch on the former included.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis import formats
from analysis.estimators.welch import mean_interval
from analysis.inputs.search import Search
from analysis.report.quantities import F1, SHARE, Json, estimated

#: Metrics that are also recorded on the test split; its loss is not.
_UNITS = {"macro_f1": F1, "accuracy": SHARE}


def optimism(search: Search, arm: str) -> Mapping[str, Json | None]:
    """Mean gaps over units with Student's t interval, each None where unknown.

    Returns:
        ``total``: validation score of the chosen trial minus test score of its confirmation;
        ``luck``: the same minus the best validation score of its confirmation runs;
        ``splits``: the latter minus their test score. ``total`` is the sum of the other two.
    """
    rows = _rows(search, arm) if search.metric in _UNITS else pd.DataFrame()
    if not len(rows):
        return {"total": None, "luck": None, "splits": None}
    gaps = {
        "total": ("chosen", "test", "best validation score of the chosen trial minus test score"),
        "luck": ("chosen", "retrained", "the same minus validation score after retraining"),
        "splits": ("retrained", "test", "validation score after retraining minus test score"),
    }
    return {
        name: _gap(search, rows[more] - rows[less], words)
        for name, (more, less, words) in gaps.items()
    }


def _rows(search: Search, arm: str) -> pd.DataFrame:
    """A row per unit: the validation value of its choice, and means over its confirmation runs."""
    table = search.confirmations
    metric = search.metric
    runs = table[(table["arm"] == arm) & table[f"test_{metric}"].notna()]
    chosen = _chosen(search, arm)
    rows = pd.DataFrame(
        {
            "unit": runs["replicate" if search.unit == "study" else "seed"],
            "chosen": runs["replicate"].map(chosen).astype(float),
            "retrained": runs[search.metric_column].astype(float),
            "test": runs[f"test_{metric}"].astype(float),
        }
    )
    return rows.groupby("unit").mean().dropna()


def _chosen(search: Search, arm: str) -> dict[int, float]:
    """Validation value of each study's choice."""
    mine: list[Any] = [c for c in search.get("choices", default=[]) if c["arm"] == arm]
    values = search.trials.set_index("trial")[search.metric_column]
    return {int(c["replicate"]): float(values.get(c["trial"], np.nan)) for c in mine}


def _gap(search: Search, gaps: pd.Series[float], words: str) -> Json | None:
    mean = mean_interval(gaps.to_numpy(np.float64))
    found = estimated(mean, unit=_UNITS[search.metric], of=formats.units(search.unit))
    return None if found is None else {**found, "estimator": f"{words}: {mean.estimator}"}
