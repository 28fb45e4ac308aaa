"""Whether the arms are above the floors: below them there is nothing worth comparing."""

from __future__ import annotations

from analysis.formats import listing, score
from analysis.pictures import FLOORS
from analysis.validity.check import Case, Check


def majority(case: Case) -> Check:
    """Above the answer that needs no model at all."""
    return _floor(case, "majority")


def regression(case: Case) -> Check:
    """Above a linear model on pixels."""
    return _floor(case, "logistic_regression")


def _floor(case: Case, floor: str) -> Check:
    """Both intervals are over test pictures, of the models at hand: they must be apart."""
    name = f"Arms are above the floor: {FLOORS[floor]}"
    if floor not in case.scores or not any(arm in case.scores for arm in case.arms):
        confirmed = not case.search.confirmations.empty
        detail = f"no comparison with {FLOORS[floor]}: " + (
            "it was not measured" if confirmed else "nothing has been confirmed yet"
        )
        return Check(id=f"floor_{floor}", name=name, status="warn", detail=detail)
    bar = case.scores[floor].macro_f1
    assert bar.high is not None, "a picture bootstrap has an interval"
    intervals = [(arm, case.scores[arm].macro_f1) for arm in case.arms if arm in case.scores]
    unknown = [arm for arm in case.arms if arm not in case.scores]
    if unknown:
        detail = f"no answers on the test split to compare it with: {listing(unknown)}"
        return Check(id=f"floor_{floor}", name=name, status="warn", detail=detail)
    below = [
        f"{arm} at {score(mine.value)} [{score(mine.low)}, {score(mine.high)}]"
        for arm, mine in intervals
        if mine.low is not None and mine.low <= bar.high
    ]
    floor_text = f"{score(bar.value)} [{score(bar.low)}, {score(bar.high)}]"
    if below:
        detail = f"not above {FLOORS[floor]} at {floor_text}: {listing(below)}"
        return Check(id=f"floor_{floor}", name=name, status="broken", detail=detail)
    detail = f"intervals apart from its {floor_text}"
    return Check(id=f"floor_{floor}", name=name, status="pass", detail=detail)
