"""Compares every pair of arms: units, interval, P(A > B), validity, verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.estimators.estimate import LEVEL, Estimate
from analysis.estimators.holm import holm, joint_level
from analysis.estimators.power import POWER, units_for_power
from analysis.estimators.superiority import probability_of_superiority
from analysis.estimators.welch import difference_interval
from analysis.inputs.pictures import PictureScores
from analysis.inputs.search import Search, Unit
from analysis.inputs.units import FAMILIES, Units, arm_units
from analysis.settings import Settings
from analysis.validity import Check, checklist
from analysis.verdict.decision import Kind, Row, Scope, decide

__all__ = ["POWER", "Pair", "Remedy", "Step", "compare"]

#: Of the bootstrap of P(A > B).
_SEED = 1947


@dataclass(frozen=True, kw_only=True)
class Step:
    """The sample size that one effect requires.

    Attributes:
        effect: difference of macro-F1, in [0, 1].
        units: units per arm that detect it with power :data:`POWER`. None: more than is worth
            proposing.
        hours: cost of the missing units of both arms together; None if ``units`` is.
    """

    effect: float
    units: int | None
    hours: float | None


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """Sample sizes for an inconclusive pair, by the power of a t test at the observed spread.

    Attributes:
        steps: for the smallest effect of interest and, if larger, for the observed effect.
        have: units of the arm that has fewest now.
        resource: ``accelerator`` or ``CPU``, that of the hours.
    """

    steps: tuple[Step, ...]
    have: int
    resource: str


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One comparison. ``first`` has the higher mean; estimates are None without scores.

    Attributes:
        difference: first minus second, macro-F1 on the test split, in [0, 1].
        superiority: P(first > second).
        p_value: Welch's, uncorrected; ``p_holm`` after Holm over all pairs.
        rows: the decision table as applied; empty without scores.
        corrected: whether it is one of several pairs, so that Holm's p-value excludes zero.
    """

    first: str
    second: str
    kind: Kind
    scope: Scope
    unit: Unit
    difference: Estimate | None
    superiority: Estimate | None
    p_value: float | None
    p_holm: float | None
    checks: tuple[Check, ...]
    rows: tuple[Row, ...]
    remedy: Remedy | None
    corrected: bool

    @property
    def broken(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if check.status == "broken")


def compare(
    search: Search,
    scores: Mapping[str, PictureScores],
    settings: Settings,
) -> tuple[Pair, ...]:
    """Every pair of arms, in the arms' order; empty with fewer than two arms.

    With m > 1 pairs the intervals cover jointly (level 1 - 0.05 / m each, Bonferroni) and zero
    counts as excluded by Holm's adjusted p-value.
    """
    pairs = list(combinations(search.arms, 2))
    level = joint_level(len(pairs))
    units = {arm: arm_units(search, arm) for arm in search.arms}
    ordered = [_by_mean(units, a, b) for a, b in pairs]
    p_values = [_p_value(units[a], units[b]) for a, b in ordered]
    # A pair without an interval still counts as a comparison.
    adjusted = holm([1.0 if p is None else p for p in p_values])
    return tuple(
        _pair(
            search,
            scores,
            (a, b),
            (units[a], units[b]),
            level=level,
            p_value=p,
            p_holm=None if p is None else float(q),
            settings=settings,
        )
        for (a, b), p, q in zip(ordered, p_values, adjusted, strict=True)
    )


def _by_mean(units: Mapping[str, Units], a: str, b: str) -> tuple[str, str]:
    if not (units[a].n and units[b].n):
        return a, b
    return (a, b) if units[a].values.mean() >= units[b].values.mean() else (b, a)


def _p_value(a: Units, b: Units) -> float | None:
    return difference_interval(a.values, b.values).p_value if a.n and b.n else None


def _pair(
    search: Search,
    scores: Mapping[str, PictureScores],
    names: tuple[str, str],
    units: tuple[Units, Units],
    *,
    level: float,
    p_value: float | None,
    p_holm: float | None,
    settings: Settings,
) -> Pair:
    a, b = units
    checks = checklist(search, names, scores, settings)
    broken = any(check.status == "broken" for check in checks)
    difference = superiority = None
    kind: Kind = "not comparable"
    rows: tuple[Row, ...] = ()
    if a.n and b.n:
        difference = difference_interval(a.values, b.values, level).estimate
        rng = np.random.default_rng(_SEED)
        superiority = probability_of_superiority(a.values, b.values, rng)
        kind, rows = decide(
            broken=broken,
            difference=difference,
            superiority=superiority.value,
            smallest_effect=settings.smallest_effect,
            significant=p_holm is not None and p_holm < 1 - LEVEL,
            corrected=level > LEVEL,
        )
    remedy = None
    if kind == "inconclusive":
        remedy = _remedy(search, names, units, level, settings.smallest_effect)
    return Pair(
        first=names[0],
        second=names[1],
        kind=kind,
        scope=_scope(search, a, b),
        unit=a.kind,
        difference=difference,
        superiority=superiority,
        p_value=p_value,
        p_holm=p_holm,
        checks=checks,
        rows=rows,
        remedy=remedy,
        corrected=level > LEVEL,
    )


def _scope(search: Search, a: Units, b: Units) -> Scope:
    """Families, if there are at least five studies and each has a score in both arms."""
    complete = a.n == b.n == search.replicates
    return "families" if complete and a.kind == "study" and a.n >= FAMILIES else "configurations"


def _remedy(
    search: Search,
    names: tuple[str, str],
    units: tuple[Units, Units],
    level: float,
    smallest_effect: float,
) -> Remedy:
    have = min(unit.n for unit in units)
    spread = float(np.sqrt(np.mean([unit.values.var(ddof=1) for unit in units])))
    # One more seed is one more confirmation run; one more study is its whole search as well.
    spent = [search.confirmations, *([] if search.unit == "seed" else [search.trials])]
    mine = [table[table["arm"].isin(names)] for table in spent]
    accelerator, cpu = (
        sum(float(table[column].sum()) for table in mine)
        for column in ("accelerator_seconds", "cpu_seconds")
    )
    each = (accelerator or cpu) / sum(unit.n for unit in units) / 3600
    seen = abs(float(units[0].values.mean() - units[1].values.mean()))
    effects = [seen, smallest_effect] if seen > smallest_effect else [smallest_effect]
    return Remedy(
        steps=tuple(_step(effect, spread, level, have, each) for effect in effects),
        have=have,
        resource="accelerator" if accelerator else "CPU",
    )


def _step(effect: float, spread: float, level: float, have: int, each: float) -> Step:
    wanted = units_for_power(effect, spread, level)
    if wanted is None:
        return Step(effect=effect, units=None, hours=None)
    # The present units were inconclusive, so at least one more is needed.
    units = max(wanted, have + 1)
    return Step(effect=effect, units=units, hours=2 * (units - have) * each)
