"""What goes wrong with other estimators: each comparison is of two arms without any difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from scipy import stats

from analysis.estimators.pictures.mcnemar import mcnemar
from analysis.estimators.second_opinion import bca_difference, permutation_p_value
from analysis.estimators.welch import difference_interval
from benchmarks.verdict_simulation.surface import POINT, Floats

ALPHA = 0.05
#: Test pictures of two checkpoints, and how alike their answers are (correlation of what makes a
#: picture hard for one and for the other).
PICTURES = 4000
ALIKE = 0.8
_RIGHT = 0.65
_SEEDS = 5
_RESAMPLES = 2000

#: Name of a test to its rate of false positives and the Monte-Carlo standard error.
Found = dict[str, tuple[float, float]]


def over_seeds(comparisons: int, rng: np.random.Generator) -> Found:
    """Two equal configurations with five normal scores each, by four estimators."""
    names: Counter[str] = Counter()
    for _ in range(comparisons):
        a, b = rng.normal(0.0, 0.6 * POINT, (2, _SEEDS))
        names.update(_positives(a, b, rng))
    tests = (_WELCH, _PERMUTATION, _PERCENTILE, _BCA)
    return {name: _rate(names[name], comparisons) for name in tests}


_WELCH = "Welch's interval"
_PERMUTATION = "label permutation"
_PERCENTILE = "percentile bootstrap"
_BCA = "BCa bootstrap"


def _positives(a: Floats, b: Floats, rng: np.random.Generator) -> Iterator[str]:
    if not difference_interval(a, b).estimate.covers(0.0):
        yield _WELCH
    p_value = permutation_p_value(a, b, rng)
    if p_value is not None and p_value < ALPHA:
        yield _PERMUTATION
    if _percentile_excludes(a, b, rng):
        yield _PERCENTILE
    if not bca_difference(a, b, rng, resamples=_RESAMPLES).covers(0.0):
        yield _BCA


def _percentile_excludes(a: Floats, b: Floats, rng: np.random.Generator) -> bool:
    """Whether the percentile bootstrap of the difference of means leaves zero out."""
    drawn = [one[rng.integers(one.size, size=(_RESAMPLES, one.size))] for one in (a, b)]
    differences = drawn[0].mean(axis=1) - drawn[1].mean(axis=1)
    low, high = np.quantile(differences, [ALPHA / 2, 1 - ALPHA / 2])
    return not low <= 0 <= high


def checkpoints(comparisons: int, seed_spread: float, rng: np.random.Generator) -> Found:
    """One checkpoint of each of two equal configurations by McNemar; five of each by Welch.

    Args:
        seed_spread: standard deviation, in points, of the share right between seeds.
    """
    false = Counter[str]()
    for _ in range(comparisons):
        share = _RIGHT + seed_spread * POINT * rng.standard_normal((2, _SEEDS))
        hard = np.sqrt(ALIKE) * rng.standard_normal(PICTURES)
        own = np.sqrt(1 - ALIKE) * rng.standard_normal((2, _SEEDS, PICTURES))
        right = hard + own < stats.norm.ppf(share)[..., None]
        false["McNemar"] += mcnemar(right[0, 0], right[1, 0]).p_value < ALPHA
        scores = right.mean(axis=2)
        false["Welch"] += not difference_interval(scores[0], scores[1]).estimate.covers(0.0)
    return {name: _rate(false[name], comparisons) for name in ("McNemar", "Welch")}


def _rate(hits: int, of: int) -> tuple[float, float]:
    share = hits / of
    return share, (share * (1 - share) / of) ** 0.5
