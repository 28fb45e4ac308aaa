"""The verdict of a simulated search, by the report's own decision table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from analysis.estimators.holm import joint_level
from analysis.estimators.superiority import wins
from analysis.estimators.welch import difference_interval
from analysis.inputs.search import Search
from analysis.inputs.units import SEEDS_NEEDED
from analysis.settings import SMALLEST_EFFECT, Settings
from analysis.validity.check import Case
from analysis.validity.fairness import failures, limits
from analysis.verdict.decision import Kind, decide

if TYPE_CHECKING:
    from fer_tune.simulation.runs import SimulatedSearch


def verdict(search: SimulatedSearch, smallest_effect: float = SMALLEST_EFFECT) -> Kind | None:
    """The verdict on the two arms with the highest mean test score; None for a single arm.

    With several pairs the interval is the joint one (Bonferroni), where the report uses Holm's
    p-values. Of the validity checks, those are made that a simulated search can fail: equal
    trials, enough units, failed trials, and chosen values at a limit of their domain.
    """
    arms = search.space.compare.arms
    if len(arms) < 2:
        return None
    units = {arm: _units(search, arm) for arm in arms}
    best = sorted(arms, key=lambda arm: _mean(units[arm]), reverse=True)[:2]
    trials = Counter(run.assignment.arm for run in search.trials)
    if search.space.compare.allocation != "equal" or len({trials[arm] for arm in best}) > 1:
        return "not comparable"
    first, second = units[best[0]], units[best[1]]
    needed = SEEDS_NEEDED if search.space.compare.replicates == 1 else 2
    if min(len(first), len(second)) < needed:
        return "not comparable"
    level = joint_level(len(arms) * (len(arms) - 1) // 2)
    difference = difference_interval(first, second, level).estimate
    if difference.low is None:
        return "not comparable"
    superiority = float(wins(np.array(first), np.array(second)))
    kind, _ = decide(
        broken=_fails_a_check(search, best),
        difference=difference,
        superiority=superiority,
        smallest_effect=smallest_effect,
    )
    return kind


def _fails_a_check(search: SimulatedSearch, arms: Sequence[str]) -> bool:
    trials, nothing = search.trials_table(), pd.DataFrame()
    manifest = {"space": search.space.as_dict(), "arms": list(arms)}
    recorded = Search(
        root=Path(),
        manifest=manifest,
        manifests=(manifest,),
        scored=(),
        arms=tuple(arms),
        classes=(),
        trials=trials,
        confirmations=nothing,
        epochs=nothing,
        confusion=nothing,
        predictions=nothing,
        floors=nothing,
        thumbnails=nothing,
        latency={},
    )
    case = Case(search=recorded, arms=arms, scores={}, settings=Settings())
    return any(check(case).status == "broken" for check in (failures, limits))


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("-inf")


def _units(search: SimulatedSearch, arm: str) -> list[float]:
    """Means of the studies; the seeds' scores where an arm has one study."""
    by_study: dict[int, list[float]] = {}
    for run in search.confirmations:
        if run.assignment.arm == arm and run.state == "complete" and np.isfinite(run.test):
            by_study.setdefault(run.assignment.replicate, []).append(run.test)
    if search.space.compare.replicates == 1:
        return [score for scores in by_study.values() for score in scores]
    return [float(np.mean(scores)) for scores in by_study.values()]
