"""Logistic regression on frozen features, as `fer-tune probe` recorded it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from analysis.inputs.search import Search
from analysis.report.evidence import Evidence
from analysis.report.quantities import F1, SHARE, Json, quantity

_UNITS = {"macro_f1": F1, "accuracy": SHARE, "loss": "mean cross-entropy, nats"}


def section(evidence: Evidence) -> Json:
    """The recorded scores of the search's arms; none where they are of another dataset."""
    search = evidence.search
    probe = search.probe
    if probe is None:
        return {"status": "none", "about": None, "cases": []}
    if probe["fingerprint"] != search.get("dataset", "fingerprint"):
        return {"status": "other data", "about": None, "cases": []}
    place = {arm: number for number, arm in enumerate(search.arms)}
    rows = [row for row in probe["rows"] if row["arm"] in place]
    rows.sort(key=lambda row: (place[row["arm"]], row["crop_size"]))
    keys = ("metric", "weights", "pictures", "groups", "folds", "seconds")
    return {
        "status": "measured",
        "about": {
            **{key: probe[key] for key in keys},
            "same_weights": _same_weights(search, probe["weights"]),
        },
        "cases": [_case(probe, row) for row in rows],
    }


def _same_weights(search: Search, recipe: str) -> bool:
    return bool(search.get("space", "weights", default=recipe) == recipe)


def _case(probe: Mapping[str, Any], row: Mapping[str, Any]) -> Json:
    def score(metric: str) -> Json:
        found = row["scores"][metric]
        return quantity(
            found["value"],
            low=found["low"],
            high=found["high"],
            level=probe["level"],
            unit=_UNITS[metric],
            n=probe["groups"],
            of="groups of training pictures",
            estimator=probe["estimator"],
        )

    return {
        **{key: row[key] for key in ("arm", "crop_size", "features")},
        **{metric: score(metric) for metric in _UNITS},
    }
