"""Alternative analyses ("second opinions") of each pair's difference, beside the verdict's own.

Each says by its own method whether zero is excluded. With m pairs each is corrected over the pairs
like the verdict's: p-values by Holm, intervals without p-values by Bonferroni.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb

import numpy as np

from analysis.estimators.estimate import LEVEL, Estimate, Floats
from analysis.estimators.holm import holm, joint_level
from analysis.estimators.second_opinion import RESAMPLES, bca_difference, permutation_p_value
from analysis.estimators.welch import difference_interval
from analysis.inputs.search import Search
from analysis.inputs.units import arm_units
from analysis.verdict.compare import Pair

#: The same seed for every pair, so that a further pair does not change the others' numbers.
_SEED = 1937
#: Fewest units with which the BCa bootstrap counts. Between identical normal arms it excluded zero
#: in 34, 18, 14 and 8 % of 600 simulations each, with 2, 3, 5 and 10 units per arm.
BCA_UNITS = 5
_CLEAN = "test_clean_macro_f1"
_COLUMNS = ("test_macro_f1", _CLEAN, "test_accuracy")


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """One analysis of a pair's difference, first minus second.

    Attributes:
        id: ``welch`` (the verdict's), ``bca``, ``permutation``, ``clean`` or ``accuracy``.
        estimate: in [-1, 1]; that of the permutation has no interval. None without scores.
        p_value, p_holm: two-sided, uncorrected and over all pairs; None where there is none.
        least: the smallest possible p-value, for the permutation alone.
        excludes_zero: None where unknown.
    """

    id: str
    estimate: Estimate | None
    p_value: float | None = None
    p_holm: float | None = None
    least: float = 0.0
    excludes_zero: bool | None = None


def opinions(search: Search, pairs: Sequence[Pair]) -> list[tuple[Opinion, ...]]:
    """Five analyses of each pair, the verdict's first."""
    values = {
        (arm, column): arm_units(search, arm, column).values
        for arm in search.arms
        for column in _COLUMNS
    }
    rows = [_analyses(values, pair, joint_level(len(pairs))) for pair in pairs]
    columns = [_corrected(column) for column in zip(*rows, strict=True)]
    return list(zip(*columns, strict=True))


def clean_opinions(search: Search, pairs: Sequence[Pair]) -> list[Opinion]:
    """For each pair Welch's t test on clean pictures, as in :func:`opinions`."""
    level = joint_level(len(pairs))
    values = {arm: arm_units(search, arm, _CLEAN).values for arm in search.arms}
    return _corrected(
        [_welch("clean", values[pair.first], values[pair.second], level) for pair in pairs]
    )


def least_p_value(n: int, m: int) -> float:
    """The smallest two-sided p-value that a label permutation of n and m units can give."""
    splits = comb(n + m, n)
    return min(1.0, 2 / (splits if splits <= RESAMPLES else RESAMPLES + 1))


def _analyses(
    values: Mapping[tuple[str, str], Floats], pair: Pair, level: float
) -> tuple[Opinion, ...]:
    scores, clean, right = (
        (values[pair.first, column], values[pair.second, column]) for column in _COLUMNS
    )
    return (
        Opinion(id="welch", estimate=pair.difference, p_value=pair.p_value),
        _bca(*scores, level),
        _permutation(*scores, pair.difference),
        _welch("clean", *clean, level),
        _welch("accuracy", *right, level),
    )


def _bca(a: Floats, b: Floats, level: float) -> Opinion:
    rng = np.random.default_rng(_SEED)
    return Opinion(
        id="bca", estimate=bca_difference(a, b, rng, level) if a.size and b.size else None
    )


def _permutation(a: Floats, b: Floats, difference: Estimate | None) -> Opinion:
    if difference is None:
        return Opinion(id="permutation", estimate=None)
    bare = replace(difference, low=None, high=None, estimator="difference of means over units")
    return Opinion(
        id="permutation",
        estimate=bare,
        p_value=permutation_p_value(a, b, np.random.default_rng(_SEED)),
        least=least_p_value(a.size, b.size),
    )


def _welch(name: str, a: Floats, b: Floats, level: float) -> Opinion:
    if not (a.size and b.size):
        return Opinion(id=name, estimate=None)
    found = difference_interval(a, b, level)
    return Opinion(id=name, estimate=found.estimate, p_value=found.p_value)


def _corrected(column: Sequence[Opinion]) -> list[Opinion]:
    """One analysis of every pair, corrected over the pairs."""
    # A pair without a p-value still counts as a comparison.
    adjusted = holm([1.0 if one.p_value is None else one.p_value for one in column])
    with_holm = [
        replace(one, p_holm=None if one.p_value is None else float(p))
        for one, p in zip(column, adjusted, strict=True)
    ]
    return [replace(one, excludes_zero=_excludes_zero(one, len(column))) for one in with_holm]


def _excludes_zero(one: Opinion, pairs: int) -> bool | None:
    if one.p_holm is None:
        few = one.id == "bca" and one.estimate is not None and one.estimate.n < BCA_UNITS
        covers = None if one.estimate is None or few else one.estimate.covers(0.0)
        return None if covers is None else not covers
    if one.p_holm < 1 - LEVEL:
        return True
    # A test that could not have rejected with any scores gives no evidence by not rejecting.
    return False if one.least * pairs < 1 - LEVEL else None
