"""What tuning buys: the best of n random trials, the course of the search, and what TPE added.

Every trial counts with the best value it had, and one without any value with 0, the lowest score
there is. For a trial that ASHA, divergence or a failure ended that is a lower bound of what its
configuration would have come to; audited trials ran on and count with their whole run. The curve
is thus that of random search under this search's early stopping. For random search without it,
every point is a lower bound, and so is the lower edge of its band; the upper edge says nothing.

Where loss ranks trials, scores are exp(-loss): also in [0, 1], and larger is better.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.estimators.estimate import LEVEL, Floats
from analysis.estimators.tuning_curve import (
    expected_best_u,
    expected_best_v,
    median_band,
    median_best,
)
from analysis.estimators.welch import mean_interval
from analysis.loading import Search
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, estimated, quantity
from analysis.report.sections.ends import audited, ran_on
from analysis.report.sections.spending import spending_sections

#: Fewest random trials of which a curve is told.
NEEDED = 5
#: Most points of a curve.
_POINTS = 40
_BAND = "median best of n, simultaneous band for all n (Lourie et al.)"


def section(evidence: Evidence) -> Json:
    """Per arm the tuning curve over its random cohort, TPE against it, and the anytime curve."""
    search = evidence.search
    return {
        "unit": score_unit(search),
        "needed": NEEDED,
        "arms": [_arm(search, arm) for arm in search.arms],
        "spending": spending_sections(search),
    }


def score_unit(search: Search) -> str:
    """What the curves measure."""
    if search.metric == "loss":
        return "exp(-validation loss), 0 to 1"
    return f"validation {search.metric_name}, 0 to 1"


def scores(search: Search, trials: pd.DataFrame) -> Floats:
    """The best score that each trial had, (n,), in [0, 1]; 0 without any."""
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
    """Of the random cohort: those that ended before their own end, and those without a value."""
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
    """What the second half of the cohort bought: the mean best of all against that of half.

    By the U-statistic, which has no bias up to the whole cohort; the median curve cannot rise
    beyond about 0.7 of it.
    """
    half = values.size // 2
    before, after = expected_best_u(values, [half, 2 * half]).tolist()
    low, high = (edge.item() for edge in median_band(values, [half]))
    told: dict[str, Any] = {"unit": score_unit(search), "n": values.size, "of": "random trials"}
    return {
        "from": half,
        "to": 2 * half,
        "unit": "trials",
        "gain": quantity(
            after - before, estimator="difference of mean bests (U-statistic); descriptive", **told
        ),
        "median": quantity(
            median_best(values, [half]).item(),
            low=low,
            high=high,
            level=LEVEL,
            estimator=_BAND,
            **told,
        ),
    }


def _tpe(search: Search, trials: pd.DataFrame) -> Json:
    """What TPE found over random, study by study, at the number of trials that both had.

    Of the larger cohort the mean best of that many trials counts, drawn without replacement.
    """
    studies = []
    for replicate, study in trials.groupby("replicate"):
        random, tpe = (
            scores(search, study[study["cohort"] == cohort]) for cohort in ("random", "tpe")
        )
        n = min(random.size, tpe.size)
        if n:
            best = [expected_best_u(values, [n]).item() for values in (random, tpe)]
            studies.append(
                {"replicate": int(str(replicate)), "best_of": n, "random": best[0], "tpe": best[1]}
            )
    over = mean_interval([s["tpe"] - s["random"] for s in studies]) if studies else None
    return {
        "unit": score_unit(search),
        "estimator": "mean best of n trials without replacement (U-statistic); descriptive",
        "studies": studies,
        "over_random": estimated(over, unit=score_unit(search), of="studies"),
    }
