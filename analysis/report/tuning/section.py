"""Tuning curves: the best of n random trials, anytime performance, and the sampler against them.

Every trial counts with its best value, a trial without a value with 0, the lowest possible score.
For a trial that ended by ASHA, divergence or a failure that is a lower bound of the value of its
configuration; audited trials continued and count with their whole run. The curve is therefore
that of random search with the early stopping of this search. For random search without it, every
point is a lower bound, and so is the lower edge of the band; the upper edge is not valid.

Where loss ranks trials, scores are exp(-loss): also in [0, 1], and larger is better.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.estimators.estimate import LEVEL, Floats
from analysis.estimators.tuning.tuning_curve import (
    expected_best_u,
    expected_best_v,
    median_band,
    median_best,
)
from analysis.estimators.welch import mean_interval
from analysis.inputs.search import Search
from analysis.report.ends import audited, ran_on
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, estimated, quantity
from analysis.report.tuning.spending import spending_sections
from fer_tune.records import SAMPLED

#: Fewest random trials for a curve.
NEEDED = 5
#: Most points of a curve.
_POINTS = 40
_BAND = "median best of n, simultaneous band for all n (Lourie et al.)"


def section(evidence: Evidence) -> Json:
    """Per arm the tuning curve of its random cohort, TPE against it, and the anytime curve."""
    search = evidence.search
    return {
        "unit": score_unit(search),
        "needed": NEEDED,
        "arms": [_arm(search, arm) for arm in search.arms],
        "spending": spending_sections(search),
    }


def score_unit(search: Search) -> str:
    """Unit of the curves."""
    if search.metric == "loss":
        return "exp(-validation loss), 0 to 1"
    return f"validation {search.metric_name}, 0 to 1"


def scores(search: Search, trials: pd.DataFrame) -> Floats:
    """The best score of each trial, (n,), in [0, 1]; 0 without any."""
    best = trials[search.metric_column].to_numpy(dtype=np.float64, na_value=np.nan)
    values = np.exp(-best) if search.metric == "loss" else best
    filled: Floats = np.where(np.isfinite(values), values, 0.0)
    return filled


def _arm(search: Search, arm: str) -> Json:
    mine = search.trials[search.trials["arm"] == arm]
    random = mine[mine["cohort"] == "random"]
    values = scores(search, random)
    return {
        "arm": arm,
        "random": _counts(search, random),
        "curve": _curve(search, values) if values.size >= NEEDED else None,
        "doubling": _doubling(search, values) if values.size >= NEEDED else None,
        "tpe": _tpe(search, mine),
    }


def _counts(search: Search, random: pd.DataFrame) -> Json:
    """Random trials: those that ended early, and those without a value."""
    valued = random[search.metric_column].notna()
    ended = ran_on(random)
    return {
        "unit": "trials",
        "total": len(random),
        "to_their_end": int(ended.sum()),
        "audited": int(audited(random).sum()),
        "cut_short": int((~ended & valued).sum()),
        "without_score": int((~valued).sum()),
    }


def _curve(search: Search, values: Floats) -> Json:
    whole = np.geomspace(1, values.size, _POINTS) if values.size > _POINTS else None
    ns = np.arange(1, values.size + 1) if whole is None else np.unique(np.rint(whole).astype(int))
    low, high = median_band(values, ns)
    return {
        "unit": score_unit(search),
        "estimator": _BAND,
        "level": LEVEL,
        "trials": values.size,
        "best_of": ns.tolist(),
        "median": median_best(values, ns).tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "expected_u": expected_best_u(values, ns).tolist(),
        "expected_v": expected_best_v(values, ns).tolist(),
    }


def _doubling(search: Search, values: Floats) -> Json:
    """Gain of the second half of the cohort: the mean best of all against that of half.

    By the U-statistic, which is unbiased up to the whole cohort; the median curve cannot rise
    beyond about 0.7 of it.
    """
    half = values.size // 2
    before, after = expected_best_u(values, [half, 2 * half]).tolist()
    low, high = (edge.item() for edge in median_band(values, [half]))
    common: dict[str, Any] = {"unit": score_unit(search), "n": values.size, "of": "random trials"}
    return {
        "from": half,
        "to": 2 * half,
        "unit": "trials",
        "gain": quantity(
            after - before,
            estimator="difference of mean bests (U-statistic); descriptive",
            **common,
        ),
        "median": quantity(
            median_best(values, [half]).item(),
            low=low,
            high=high,
            level=LEVEL,
            estimator=_BAND,
            **common,
        ),
    }


def _tpe(search: Search, trials: pd.DataFrame) -> Json:
    """The sampler against random search by study, at the number of trials of the smaller cohort.

    For the larger cohort, the mean best of that many trials drawn without replacement.
    """
    studies = []
    for replicate, study in trials.groupby("replicate"):
        random, tpe = (
            scores(search, study[study["cohort"].isin(cohorts)])
            for cohorts in (["random"], SAMPLED)
        )
        n = min(random.size, tpe.size)
        if n:
            best = [expected_best_u(values, [n]).item() for values in (random, tpe)]
            studies.append(
                {"replicate": int(str(replicate)), "best_of": n, "random": best[0], "tpe": best[1]}
            )
    over = mean_interval([s["tpe"] - s["random"] for s in studies]) if studies else None
    return {
        "samplers": [cohort for cohort in SAMPLED if (trials["cohort"] == cohort).any()],
        "unit": score_unit(search),
        "estimator": "mean best of n trials without replacement (U-statistic); descriptive",
        "studies": studies,
        "over_random": estimated(over, unit=score_unit(search), of="studies"),
    }
