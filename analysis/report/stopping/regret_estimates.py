"""The regret audit: how often does ASHA stop a trial that would have been the best?

A random share of the trials that ASHA would stop continue to the end, so they represent all
stopped trials. There is regret for a trial that ends above the choice of its study or, before a
choice, above the best trial so far.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.estimators.estimate import Estimate
from analysis.estimators.proportion import at_least_one_interval, clopper_pearson
from analysis.estimators.tuning.order_median import median_interval
from analysis.inputs.search import Search
from analysis.report.ends import audited, own_ends
from analysis.report.quantities import SHARE, Json, estimated, quantity
from fer_tune.records import ELIGIBLE

_OF = "audited trials"
_FAILED = ("oom", "failed")


def regret_section(search: Search, arm: str) -> Json:
    """Audited trials of an arm, how many ended above their study's choice, by how much."""
    trials = search.trials[search.trials["arm"] == arm]
    compared = _against_choice(search, arm, trials[audited(trials)])
    above = int((compared > 0).sum())
    stopped = trials[(trials["state"] == "pruned") & ~audited(trials)]
    per_study = round(len(stopped) / max(1, trials["replicate"].nunique()))
    chance = clopper_pearson(above, compared.size) if compared.size else None
    return {
        "arm": arm,
        "audited": int(audited(trials).sum()),
        "compared": int(compared.size),
        "above": above,
        "stopped": len(stopped),
        "stopped_per_study": per_study,
        "unit": "trials",
        "chance": estimated(chance, unit=SHARE, of=_OF),
        "chance_in_study": _in_study(chance, per_study),
        "margin": _margin(search, compared),
        "regret": _regret(search, compared),
        "largest_regret": _largest(search, compared),
    }


def _against_choice(search: Search, arm: str, trials: pd.DataFrame) -> pd.Series[float]:
    """By how much each audited trial ended above its study's choice; negative below it.

    A trial that failed is excluded, as its result is unknown; a trial that diverged could not have
    been chosen, so its margin is minus infinity.
    """
    chosen = search.trials[search.trials["trial"].isin(search.chosen[arm])]
    choices = chosen.set_index("replicate")[search.metric_column]
    ends = own_ends(trials)
    known = trials[~ends.isin(_FAILED) & trials["replicate"].isin(choices.index)]
    sign = -1.0 if search.metric == "loss" else 1.0
    gap = sign * (known[search.metric_column] - known["replicate"].map(choices))
    margin: pd.Series[float] = gap.where(ends.isin(ELIGIBLE), -np.inf).fillna(-np.inf)
    return margin


def _in_study(chance: Estimate | None, per_study: int) -> Json | None:
    if chance is None:
        return None
    return estimated(at_least_one_interval(chance, per_study), unit=SHARE, of=_OF)


def _unit(search: Search) -> str:
    return "nats" if search.metric == "loss" else f"validation {search.metric_name}"


def _margin(search: Search, compared: pd.Series[float]) -> Json | None:
    finite = compared[np.isfinite(compared)]
    if finite.empty:
        return None
    return estimated(
        median_interval(finite.to_numpy()),
        unit=f"{_unit(search)}, audited trial minus its study's choice",
        of=_OF,
    )


def _regret(search: Search, compared: pd.Series[float]) -> Json | None:
    if compared.empty:
        return None
    return estimated(
        median_interval(compared.clip(lower=0).to_numpy()),
        unit=f"{_unit(search)} lost by stopping, 0 or more",
        of=_OF,
    )


def _largest(search: Search, compared: pd.Series[float]) -> Json | None:
    if compared.empty:
        return None
    return quantity(
        float(compared.clip(lower=0).max()),
        unit=f"{_unit(search)} lost by stopping, 0 or more",
        n=int(compared.size),
        of=_OF,
        estimator="largest; descriptive",
    )
