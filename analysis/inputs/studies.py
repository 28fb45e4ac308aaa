"""The trials of one arm as an Optuna study in memory, rebuilt from the records.

Optuna's importance and plots need a study. Trial states are those that the search reported to
Optuna: ``complete`` and ``overfit`` are COMPLETE with their best value, ``pruned`` (audited ones,
too) and ``diverged`` PRUNED, ``oom`` and ``failed`` FAIL. The arm's replicates share one study.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import FrozenTrial, TrialState

from analysis.inputs.search import Search
from analysis.validity.limits import domains
from fer_tune.records import CONFIG_COLUMNS, ELIGIBLE

Value = str | int | float

#: The search's trial number in a trial's ``user_attrs``: Optuna renumbers trials from 0.
NUMBER = "trial"


@dataclass(frozen=True, kw_only=True)
class ArmStudy:
    """A rebuilt study.

    Attributes:
        parameters: what was sampled, in the order of the search space.
        outside: number of trials excluded because the sampler could not have drawn them: a value
            outside its domain, or another value of a fixed parameter. Baselines may be such.
    """

    study: optuna.Study
    parameters: tuple[str, ...]
    outside: int


def rebuild(search: Search, arm: str, *, curves: bool = False) -> ArmStudy:
    """The ended trials of ``arm``, in sampling order.

    Args:
        curves: whether to include the finite values of each epoch, which only plots need.
    """
    sampled = domains(search, arm)
    kinds = {name: _distribution(domain) for name, domain in sampled.items()}
    trials = search.trials[search.trials["arm"] == arm]
    inside = trials[_usual(trials, sampled)]
    steps = _intermediate(search, arm) if curves else {}
    rebuilt = []
    for row in inside.to_dict("records"):
        values = {name: _sampled(domain, row[name]) for name, domain in sampled.items()}
        if all(value is not None for value in values.values()):
            rebuilt.append(_frozen(search, row, values, kinds, steps.get(row["trial"], {})))
    with quiet():
        study = optuna.create_study(
            study_name=arm, direction="minimize" if search.metric == "loss" else "maximize"
        )
        study.add_trials(rebuilt)
    return ArmStudy(study=study, parameters=tuple(kinds), outside=len(trials) - len(rebuilt))


def _distribution(domain: Mapping[str, Any]) -> BaseDistribution:
    if domain["type"] == "choice":
        return CategoricalDistribution(tuple(domain["values"]))
    log = bool(domain.get("log"))
    if domain["type"] == "float":
        return FloatDistribution(domain["low"], domain["high"], log=log)
    return IntDistribution(domain["low"], domain["high"], log=log, step=domain.get("step") or 1)


def _sampled(domain: Mapping[str, Any], cell: Any) -> Value | None:
    """A frame's cell in the domain's own type; None where it lies outside."""
    if domain["type"] == "choice":
        return next((value for value in domain["values"] if value == cell), None)
    if (
        not isinstance(cell, int | float | np.integer)
        or not domain["low"] <= cell <= domain["high"]
    ):
        return None
    if domain["type"] == "float":
        return float(cell)
    step = domain.get("step") or 1
    return int(cell) if (cell - domain["low"]) % step == 0 else None


def _usual(trials: pd.DataFrame, sampled: Mapping[str, Any]) -> pd.Series[bool]:
    """Trials whose fixed parameters have the values of the first sampled trial."""
    drawn = trials[trials["cohort"] != "baseline"]
    fixed = [f.name for f in CONFIG_COLUMNS if f.name not in sampled]
    if drawn.empty or not sampled:
        return pd.Series(True, index=trials.index)
    cells = trials[fixed].astype(object).where(trials[fixed].notna(), None)
    alike: pd.Series[bool] = (
        cells.eq(cells.loc[drawn.index[0]]).where(cells.notna(), True).all(axis=1)
    )
    return alike


def _intermediate(search: Search, arm: str) -> dict[int, dict[int, float]]:
    column = f"val_{search.metric}"
    rows = search.epochs[(search.epochs["arm"] == arm) & np.isfinite(search.epochs[column])]
    return {
        int(str(trial)): dict(zip(part["epoch"].tolist(), part[column].tolist(), strict=True))
        for trial, part in rows.groupby("trial")
    }


def _frozen(
    search: Search,
    row: Mapping[Any, Any],
    values: Mapping[str, Any],
    kinds: Mapping[str, BaseDistribution],
    steps: Mapping[int, float],
) -> FrozenTrial:
    best = row[search.metric_column]
    scored = row["state"] in ELIGIBLE and best is not None and isfinite(best)
    early = row["state"] in ("pruned", "diverged")
    start, end = span(search, row)
    return FrozenTrial(
        number=-1,  # the study gives it
        trial_id=-1,
        state=TrialState.COMPLETE if scored else TrialState.PRUNED if early else TrialState.FAIL,
        value=float(best) if scored else None,
        datetime_start=_moment(start),
        datetime_complete=_moment(end),
        params=dict(values),
        distributions=dict(kinds),
        user_attrs={NUMBER: int(row["trial"]), "replicate": int(row["replicate"])},
        system_attrs={},
        intermediate_values=dict(steps),
    )


def span(search: Search, row: Mapping[Any, Any]) -> tuple[float, float]:
    """When a trial was started and when it ended, in seconds since the Unix epoch.

    A trial that never reported has no recorded start and takes that of the search.
    """
    start = row["started"]
    if start is None or not isfinite(start):
        start = float(search.get("started", default=0.0))
    took = sum(row[c] for c in ("setup_seconds", "seconds") if row[c] and isfinite(row[c]))
    return float(start), float(start + took)


def _moment(stamp: float) -> datetime:
    """Optuna's times have no time zone; UTC is the same on every machine."""
    return datetime.fromtimestamp(stamp, UTC).replace(tzinfo=None)


@contextmanager
def quiet() -> Iterator[None]:
    """Silences Optuna's message for every new study."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
