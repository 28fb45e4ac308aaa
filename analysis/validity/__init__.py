"""The validity checklist: what must hold before two arms may be compared.

A check is ``pass``, ``warn`` (shown on the first screen) or ``broken`` (failed: the arms are not
compared). ``fairness`` checks that the arms were searched under the same conditions,
``confirmation`` that the test scores may be compared, ``reuse`` that the test split is new to the
search, ``floors`` that the arms exceed the floors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from analysis.inputs.pictures import PictureScores
from analysis.inputs.search import Search
from analysis.settings import Settings
from analysis.validity import confirmation, fairness, floors, reuse
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
    fairness.warm_start,
    confirmation.studies,
)
_ALONE = (
    fairness.failures,
    fairness.limits,
    fairness.ends,
    confirmation.units,
    confirmation.choice,
    confirmation.leaks,
    reuse.seeds,
    reuse.reuse,
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
        scores: of :func:`analysis.inputs.pictures.score_pictures`.

    Returns:
        Failed checks first, then warnings, then those that passed.
    """
    case = Case(search=search, arms=arms, scores=scores, settings=settings)
    wanted = _ALONE if len(arms) < 2 else (*_TOGETHER, *_ALONE)
    found = [check(case) for check in wanted]
    order: dict[Status, int] = {"broken": 0, "warn": 1, "pass": 2}
    return tuple(sorted(found, key=lambda check: order[check.status]))
