"""What was predicted of a search before it began, and what it came to."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.inputs.search import Search
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json
from fer_tune.records import ELIGIBLE

#: Of the intervals over simulated searches (``fer_tune.simulation.forecast``).
LEVEL = 0.9


def section(evidence: Evidence) -> Json:
    """Epochs, hours, price, best values and verdict, predicted and actual."""
    search = evidence.search
    saved = search.get("prediction") if len(search.manifests) == 1 else None
    prediction: Mapping[str, Any] = saved or {}
    ended = search.state == "finished"
    single = evidence.pairs[0] if len(evidence.pairs) == 1 else None
    return {
        "saved": saved is not None,
        "ended": ended,
        "enlarged": saved is not None and _is_enlarged(search, prediction),
        "source": prediction.get("source"),
        "curves": prediction.get("curves"),
        "runs": prediction.get("runs"),
        "level": LEVEL,
        "figures": [_figure(row, ended) for row in _rows(search, prediction) if row[3]],
        "verdicts": [
            {"verdict": kind, "searches": count}
            for kind, count in (prediction.get("verdicts") or {}).items()
        ],
        "actual_verdict": single.kind if saved and ended and single else None,
    }


def _is_enlarged(search: Search, prediction: Mapping[str, Any]) -> bool:
    """Whether the search was extended, or confirmed with more seeds than its space has.

    Older predictions do not record their trials: then only an extension after the choice shows.
    """
    trials = search.get("space", "budget", "trials", default=0)
    seeds = search.get("space", "confirm", "seeds", default=0)
    return bool(
        search.get("superseded")
        or trials > (prediction.get("trials") or trials)
        or search.get("confirm_asked", default=0) > seeds
    )


Row = tuple[str, str | None, str, Mapping[str, float] | None, float | None]


def _rows(search: Search, prediction: Mapping[str, Any]) -> Iterator[Row]:
    """Name, arm, unit, what was predicted, and the actual value."""
    runs = pd.concat([search.trials, search.confirmations], ignore_index=True)
    held = _held_hours(search, runs)
    price, wall = prediction.get("price_per_hour"), search.get("wall_seconds")
    yield "epochs", None, "epochs", prediction.get("epochs"), float(runs["epochs"].sum())
    hours = None if wall is None else wall / 3600
    yield "hours", None, "hours", prediction.get("hours"), hours
    yield "accelerator hours", None, "hours", prediction.get("accelerator_hours"), held
    cost = None if price is None else held * price
    yield "price", None, str(prediction.get("currency")), prediction.get("price"), cost
    unit = f"validation {search.metric_name}"
    for arm in search.arms:
        predicted = (prediction.get("best") or {}).get(arm)
        yield "best value", arm, unit, predicted, _best(search, arm)


def _held_hours(search: Search, runs: pd.DataFrame) -> float:
    """Hours that runs held, set-up included, times their share of a GPU; without one, of runs."""
    share = search.get("space", "resources", "gpu", default=0.0) or 1.0
    seconds = runs["seconds"].fillna(0).sum() + runs["setup_seconds"].fillna(0).clip(lower=0).sum()
    return float(seconds) * share / 3600


def _best(search: Search, arm: str) -> float | None:
    """Of the trials that may be chosen."""
    trials = search.trials[search.trials["state"].isin(ELIGIBLE)]
    values = trials.loc[trials["arm"] == arm, search.metric_column].dropna()
    if values.empty:
        return None
    return float(values.min() if search.metric == "loss" else values.max())


def _figure(row: Row, ended: bool) -> Json:
    name, arm, unit, predicted, actual = row
    assert predicted is not None, "rows without a prediction are left out"
    known = actual if ended and actual is not None and math.isfinite(actual) else None
    return {
        "name": name,
        "arm": arm,
        "unit": unit,
        **{key: predicted[key] for key in ("mean", "low", "high")},
        "actual": known,
        "inside": None if known is None else predicted["low"] <= known <= predicted["high"],
    }
