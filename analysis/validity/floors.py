"""Whether the arms are above the floors: below them there is nothing worth comparing."""

from __future__ import annotations

import numpy as np

from analysis.estimators.estimate import LEVEL
from analysis.formats import listing, score
from analysis.pictures import FLOORS, PictureScores
from analysis.validity.check import Case, Check


def majority(case: Case) -> Check:
    """Above the answer that needs no model at all."""
    return _floor(case, "majority")


def regression(case: Case) -> Check:
    """Above a linear model on pixels."""
    return _floor(case, "logistic_regression")


def _floor(case: Case, floor: str) -> Check:
    """The difference on the same pictures, of the models at hand, must exclude zero."""
    name = f"Arms are above the floor: {FLOORS[floor]}"
    if floor not in case.scores or not any(arm in case.scores for arm in case.arms):
        confirmed = not case.search.confirmations.empty
        detail = f"no comparison with {FLOORS[floor]}: " + (
            "it was not measured" if confirmed else "nothing has been confirmed yet"
        )
        return Check(id=f"floor_{floor}", name=name, status="warn", detail=detail)
    unknown = [arm for arm in case.arms if arm not in case.scores]
    if unknown:
        detail = f"no answers on the test split to compare it with: {listing(unknown)}"
        return Check(id=f"floor_{floor}", name=name, status="warn", detail=detail)
    bar = case.scores[floor]
    below = [
        f"{arm} at {score(mine.macro_f1.value)}"
        for arm, mine in ((arm, case.scores[arm]) for arm in case.arms)
        if _lowest(mine, bar) <= 0
    ]
    if below:
        detail = (
            f"not above {FLOORS[floor]} at {score(bar.macro_f1.value)}, "
            f"as the interval of the difference covers zero or less: {listing(below)}"
        )
        return Check(id=f"floor_{floor}", name=name, status="broken", detail=detail)
    detail = (
        f"above its {score(bar.macro_f1.value)}, as the intervals of the differences exclude zero"
    )
    return Check(id=f"floor_{floor}", name=name, status="pass", detail=detail)


def _lowest(arm: PictureScores, floor: PictureScores) -> float:
    """The lower end of the 95 % interval of arm minus floor: a percentile bootstrap over pictures.

    Paired where both answered the same pictures; arms that did not are told by another check.
    """
    return float(np.quantile(arm.resampled - floor.resampled, (1 - LEVEL) / 2))
