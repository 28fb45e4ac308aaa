"""The verdict of a simulated search, by the report's own decision table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analysis.estimators.holm import joint_level
from analysis.estimators.superiority import wins
from analysis.estimators.welch import difference_interval
from analysis.inputs.units import SEEDS_NEEDED
from analysis.settings import SMALLEST_EFFECT
from analysis.verdict.decision import Kind, decide

if TYPE_CHECKING:
    from fer_tune.simulation.runs import SimulatedSearch


def verdict(search: SimulatedSearch, smallest_effect: float = SMALLEST_EFFECT) -> Kind | None:
    """The verdict on the two arms with the highest mean test score; None for a single arm.

    With several pairs the interval is the joint one (Bonferroni), where the report uses Holm's
    p-values. Of the validity checks, those of equal trials and of enough units are made.
    """
    arms = search.space.compare.arms
    if len(arms) < 2:
        return None
    trials = Counter(run.assignment.arm for run in search.trials)
    if search.space.compare.allocation != "equal" or len({trials[arm] for arm in arms}) > 1:
        return "not comparable"
    units = sorted((_units(search, arm) for arm in arms), key=_mean, reverse=True)
    first, second = units[0], units[1]
    needed = SEEDS_NEEDED if search.space.compare.replicates == 1 else 2
    if min(len(first), len(second)) < needed:
        return "not comparable"
    level = joint_level(len(arms) * (len(arms) - 1) // 2)
    difference = difference_interval(first, second, level).estimate
    if difference.low is None:
        return "not comparable"
    superiority = float(wins(np.array(first), np.array(second)))
    kind, _ = decide(
        broken=False,
        difference=difference,
        superiority=superiority,
        smallest_effect=smallest_effect,
    )
    return kind


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if len(values) else float("-inf")


def _units(search: SimulatedSearch, arm: str) -> list[float]:
    """Means of the studies; the seeds' scores where an arm has one study."""
    by_study: dict[int, list[float]] = {}
    for run in search.confirmations:
        if run.assignment.arm == arm and np.isfinite(run.test):
            by_study.setdefault(run.assignment.replicate, []).append(run.test)
    if search.space.compare.replicates == 1:
        return [score for scores in by_study.values() for score in scores]
    return [float(np.mean(scores)) for scores in by_study.values()]
