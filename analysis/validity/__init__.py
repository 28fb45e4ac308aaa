"""The validity checklist: what must hold before two arms may be compared.

A check is ``pass``, ``warn`` (said on the first screen) or ``broken`` (no comparison is made).
``fairness`` asks whether the arms were searched alike, ``confirmation`` whether the test scores
may be compared, ``floors`` whether there is anything to compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.loading import Search
from analysis.pictures import PictureScores
from analysis.settings import Settings
from analysis.validity import confirmation, fairness, floors
from analysis.validity.check import Case, Check, Status

__all__ = ["Check", "Status", "checklist"]

#: Need two arms.
_TOGETHER = (
    fairness.allocation,
    fairness.trials,
    fairness.weights,
    fairness.data,
    fairness.spaces,
    fairness.epochs,
    confirmation.studies,
)
_ALONE = (
    fairness.failures,
    fairness.limits,
    fairness.ends,
    confirmation.units,
    confirmation.choice,
    confirmation.leaks,
    confirmation.traceable,
    confirmation.finished,
    floors.majority,
    floors.regression,
)


def checklist(
    search: Search,
    arms: Sequence[str],
    scores: Mapping[str, PictureScores],
    settings: Settings,
) -> tuple[Check, ...]:
    """Every check for ``arms`` (two for a verdict, all or one for the report's list).

    Args:
        scores: of :func:`analysis.pictures.score_pictures`.

    Returns:
        Broken checks first, then warnings, then what holds.
    """
    case = Case(search=search, arms=arms, scores=scores, settings=settings)
    wanted = _ALONE if len(arms) < 2 else (*_TOGETHER, *_ALONE)
    found = [check(case) for check in wanted]
    order: dict[Status, int] = {"broken": 0, "warn": 1, "pass": 2}
    return tuple(sorted(found, key=lambda check: order[check.status]))
