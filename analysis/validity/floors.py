"""Whether the arms are above the floors: models below a floor are not worth comparing."""

from __future__ import annotations

import numpy as np

from analysis.estimators.estimate import LEVEL
from analysis.formats import listing, score
from analysis.inputs.pictures import FLOORS, PictureScores
from analysis.validity.check import Case, Check


def majority(case: Case) -> Check:
    """Above the most frequent class, which needs no model."""
    return _floor(case, "majority")


def regression(case: Case) -> Check:
    """Above a linear model on pixels."""
    return _floor(case, "logistic_regression")


def _floor(case: Case, floor: str) -> Check:
    """The interval of the difference on the same pictures must exclude zero."""
    name = f"Arms are above the floor: {FLOORS[floor]}"
    if floor not in case.scores or not any(arm in case.scores for arm in case.arms):
        confirmed = not case.search.confirmations.empty
        detail = f"no comparison with {FLOORS[floor]}: " + (
            "it was not measured" if confirmed else "no configuration has been confirmed yet"
        )
        return Check(id=f"floor_{floor}", name=name, status="warn", detail=detail)
    unknown = [arm for arm in case.arms if arm not in case.scores]
    if unknown:
        detail = f"no test predictions to compare it with: {listing(unknown)}"
        return Check(id=f"floor_{floor}", name=name, status="warn", detail=detail)
    bar = case.scores[floor]
    below = [
        f"{arm} at {score(mine.macro_f1.value)}"
        for arm, mine in ((arm, case.scores[arm]) for arm in case.arms)
        if _lowest(mine, bar) <= 0
    ]
    if below:
        detail = (
            f"not above {FLOORS[floor]} at {score(bar.macro_f1.value)}: "
            f"the interval of the difference includes zero or lies below it: {listing(below)}"
        )
        return Check(id=f"floor_{floor}", name=name, status="broken", detail=detail)
    detail = f"above its {score(bar.macro_f1.value)}: the intervals of the differences exclude zero"
    return Check(id=f"floor_{floor}", name=name, status="pass", detail=detail)


def _lowest(arm: PictureScores, floor: PictureScores) -> float:
    """The lower end of the 95 % interval of arm minus floor: a percentile bootstrap over pictures.

    Paired where both have predictions for the same pictures; another check reports arms that do
    not.
    """
    return float(np.quantile(arm.resampled - floor.resampled, (1 - LEVEL) / 2))
