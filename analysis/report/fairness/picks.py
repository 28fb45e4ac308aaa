"""The chosen configurations, each value with its position in its domain."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis.inputs.search import Search
from analysis.report.quantities import Json, plain, whole
from analysis.validity.limits import at_limit, domains, idle, natural, position


def choice_rows(search: Search, arm: str) -> list[Json]:
    """The choice of each study of ``arm``, or the best so far before a choice.

    Returns:
        per study ``{replicate, trial, epoch, value, cohort, parameters}``; a parameter has its
        ``value``, its ``position`` (0 at the low limit, 1 at the high one, on the sampling scale;
        null for categories), the ``end`` at which it lies, whether that end is ``natural``, and
        whether it is ``idle``, that is without effect in this configuration.
    """
    chosen = search.trials["trial"].isin(search.chosen[arm])
    rows = search.trials[chosen].sort_values("replicate", kind="stable")
    return [
        {
            "replicate": int(row["replicate"]),
            "trial": int(row["trial"]),
            "cohort": str(row["cohort"]),
            "epoch": whole(row["best_epoch"]),
            "value": plain(row[search.metric_column]),
            "unit": f"validation {search.metric_name}",
            "parameters": _parameters(search, arm, row),
        }
        for _, row in rows.iterrows()
    ]


def _parameters(search: Search, arm: str, row: pd.Series[Any]) -> list[Json]:
    found = []
    for name, domain in domains(search, arm, int(row["replicate"])).items():
        if name not in row:
            continue
        value, end = plain(row[name]), at_limit(domain, row[name])
        integer = isinstance(value, float) and domain["type"] != "float"
        found.append(
            {
                "parameter": name,
                "value": int(value) if integer and value.is_integer() else value,
                "position": position(domain, row[name]),
                "unit": "share of the domain, on the sampling scale",
                "end": end,
                "natural": end is not None and natural(domain, end),
                "idle": idle(name, row),
            }
        )
    return found
