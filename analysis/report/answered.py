"""Ranking of arms, the pairs that topics on test pictures compare, and means over units."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

from analysis import formats
from analysis.estimators.estimate import Estimate, Floats
from analysis.estimators.welch import mean_interval
from analysis.inputs.units import arm_units
from analysis.report.evidence import Evidence
from analysis.report.quantities import Json, estimated

#: Up to this many arms every pair is compared; of more, the two best arms alone.
ALL_PAIRS = 3


def ranked(evidence: Evidence) -> tuple[str, ...]:
    """Arms with test predictions, highest mean test macro-F1 first."""
    means = {
        arm: float(arm_units(evidence.search, arm).values.mean())
        for arm in evidence.search.arms
        if arm in evidence.answers
    }
    return tuple(sorted(means, key=lambda arm: -means[arm]))


def leading_pair(evidence: Evidence) -> tuple[str, str] | None:
    """The two best arms, the better one first; None with fewer than two."""
    first, second, *_ = (*ranked(evidence), None, None)
    return None if first is None or second is None else (first, second)


def compared_pairs(evidence: Evidence) -> tuple[tuple[str, str], ...]:
    """Every pair of up to :data:`ALL_PAIRS` arms, else the two best; the better arm first."""
    arms = ranked(evidence)
    return tuple(combinations(arms if len(arms) <= ALL_PAIRS else arms[:2], 2))


def unit_word(evidence: Evidence) -> str:
    """The unit of analysis in the plural."""
    return formats.units(evidence.search.unit)


def unit_mean(
    values: Floats, evidence: Evidence, *, unit: str, low: float = 0.0, high: float | None = 1.0
) -> Json | None:
    """Mean of ``values`` (u,) over units, its t interval clipped to the quantity's range.

    Args:
        low, high: range of the quantity; ``high`` None: unbounded.
    """
    return estimated(cut(mean_interval(values), low, high), unit=unit, of=unit_word(evidence))


def cut(estimate: Estimate, low: float, high: float | None) -> Estimate:
    """Clips an interval to the range of the quantity, which it exceeds with few units."""
    if estimate.low is None or estimate.high is None:
        return estimate
    words = f"at {low:g}" if high is None else f"to [{low:g}, {high:g}]"
    return replace(
        estimate,
        low=max(estimate.low, low),
        high=estimate.high if high is None else min(estimate.high, high),
        estimator=f"{estimate.estimator}, clipped {words}",
    )
