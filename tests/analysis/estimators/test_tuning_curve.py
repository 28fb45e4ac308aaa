"""Tuning curves and their band against opda, enumeration and simulation; the anytime curve."""

from __future__ import annotations

from itertools import combinations, product

import numpy as np
import pytest
from opda.nonparametric import EmpiricalDistribution
from scipy import stats

from analysis.estimators.tuning.anytime import anytime
from analysis.estimators.tuning.cdf_band import chance_within, equal_tailed_band, pointwise_tail
from analysis.estimators.tuning.tuning_curve import (
    expected_best_u,
    expected_best_v,
    median_band,
    median_best,
)


def cohort(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).beta(8, 4, n)


# At even sizes opda's cumulated weights may miss one half by a rounding error.
@pytest.mark.parametrize("size", [1, 2, 5, 41, 301])
def test_curves_agree_with_opda(size: int) -> None:
    values = cohort(size)
    ns = np.unique([1, 2, 3, size // 2 + 1, size])
    theirs = EmpiricalDistribution(values, a=0.0, b=1.0)
    assert median_best(values, ns) == pytest.approx(theirs.quantile_tuning_curve(ns))
    assert expected_best_v(values, ns) == pytest.approx(theirs.v_tuning_curve(ns))
    within = ns[ns <= size]
    assert expected_best_u(values, within) == pytest.approx(theirs.u_tuning_curve(within))


def test_the_median_of_one_trial_is_the_cohorts() -> None:
    values = np.random.default_rng(0).permutation(np.arange(40) / 40)
    # The least score that half the cohort does not exceed; of the best of two, 0.5^(1/2) of it.
    assert median_best(values, [1, 2, 1000]) == pytest.approx([19 / 40, 28 / 40, 39 / 40])


def test_expected_best_is_the_mean_over_all_draws() -> None:
    values = [0.5, 0.3, 0.3, 0.9]
    without = np.mean([max(draw) for draw in combinations(values, 2)])
    with_replacement = np.mean([max(draw) for draw in product(values, repeat=2)])
    assert expected_best_u(values, [2]) == pytest.approx([without])
    assert expected_best_v(values, [2]) == pytest.approx([with_replacement])


def test_u_is_unbiased_and_v_is_too_low() -> None:
    draws = np.random.default_rng(3).random((4000, 6))
    u = np.mean([expected_best_u(row, [4])[0] for row in draws])
    v = np.mean([expected_best_v(row, [4])[0] for row in draws])
    # The best of four uniform values is 4/5 on average.
    assert u == pytest.approx(0.8, abs=0.01)
    assert v < 0.8 - 0.02


def test_u_does_not_exist_beyond_the_cohort() -> None:
    curve = expected_best_u([0.2, 0.4], [1, 2, 3])
    assert curve[:2] == pytest.approx([0.3, 0.4])
    assert np.isnan(curve[2])


@pytest.mark.parametrize("n", [1, 2, 3, 5, 30, 200])
def test_band_holds_at_once_with_its_level(n: int) -> None:
    low, high = equal_tailed_band(n, 0.9)
    draws = np.sort(np.random.default_rng(n).random((20_000, n)), axis=1)
    held = ((draws >= low) & (draws <= high)).all(axis=1).mean()
    assert held == pytest.approx(0.9, abs=0.009)
    assert chance_within(low, high) == pytest.approx(0.9, abs=1e-6)


def test_chance_within_in_closed_form() -> None:
    # Two values, the smaller below 1/2 and the larger above it: 2 * 1/2 * 1/2.
    assert chance_within(np.array([0.0, 0.5]), np.array([0.5, 1.0])) == pytest.approx(0.5)
    # Both at least 0.2: 0.8 squared. Limits that cross allow nothing.
    assert chance_within(np.array([0.2, 0.2]), np.ones(2)) == pytest.approx(0.64)
    assert chance_within(np.array([0.0, 0.4]), np.array([0.2, 0.3])) == 0


def test_one_sided_chance_is_the_exact_kolmogorov_distribution() -> None:
    n, epsilon = 25, 0.21
    rank = np.arange(1, n + 1) / n
    # F_n - F stays below epsilon: every U(i) at least i / n - epsilon.
    inside = chance_within(np.maximum(rank - epsilon, 0), np.ones(n))
    assert inside == pytest.approx(stats.ksone(n).cdf(epsilon))
    low, high = np.maximum(rank - epsilon, 0), np.minimum(rank - 1 / n + epsilon, 1)
    assert chance_within(low, high) == pytest.approx(stats.kstwo(n).cdf(epsilon))


def test_the_pointwise_level_lies_between_one_and_bonferroni() -> None:
    assert pointwise_tail(1, 0.95) == pytest.approx(0.05)
    assert 0.05 / 100 < pointwise_tail(100, 0.95) < 0.05


@pytest.mark.parametrize("size", [5, 60])
def test_median_band_agrees_with_opda(size: int) -> None:
    values, ns = cohort(size), np.arange(1, 80)
    lower, _, upper = EmpiricalDistribution.confidence_bands(
        values, 0.95, a=0.0, b=1.0, generator=np.random.default_rng(1),
        method="ld_equal_tailed", n_jobs=1,
    )  # fmt: skip
    low, high = median_band(values, ns)
    # Theirs is simulated, so that a step may come one n sooner or later.
    assert np.mean(low == upper.quantile_tuning_curve(ns)) > 0.95
    assert np.mean(high == lower.quantile_tuning_curve(ns)) > 0.95


@pytest.mark.parametrize("size", [4, 20])
def test_the_whole_median_curve_is_covered(size: int) -> None:
    ns = np.arange(1, 4 * size)
    truth = stats.beta(8, 4).ppf(0.5 ** (1 / ns))
    covered = []
    for seed in range(1500):
        low, high = median_band(cohort(size, seed), ns)
        covered.append(((low <= truth) & (truth <= high)).all())
    # More than 95 %: the curve does not look at F below its median.
    assert 0.97 < np.mean(covered) < 1


def test_ties_only_widen_the_coverage() -> None:
    ns = np.arange(1, 40)
    truth = np.round(stats.beta(8, 4).ppf(0.5 ** (1 / ns)), 1)
    covered = []
    for seed in range(400):
        low, high = median_band(np.round(cohort(20, seed), 1), ns)
        covered.append(((low <= truth) & (truth <= high)).all())
    assert np.mean(covered) > 0.95


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_a_tiny_cohort_has_a_wide_band(size: int) -> None:
    values, ns = cohort(size), np.arange(1, 10)
    low, high = median_band(values, ns)
    assert (low <= median_best(values, ns)).all() and (median_best(values, ns) <= high).all()
    assert (np.diff(low) >= 0).all() and (np.diff(high) >= 0).all()
    assert low[0] == 0 or size == 5
    assert high[-1] == 1


def test_tuning_curves_refuse_what_has_none() -> None:
    with pytest.raises(AssertionError, match="without a score"):
        median_best([0.5, np.nan], [1])
    with pytest.raises(AssertionError, match=r"scores in \[0, 1\]"):
        median_band([0.5, 1.5], [1])
    with pytest.raises(AssertionError, match="one trial or more"):
        expected_best_v([0.5], [0])


def test_anytime_keeps_the_best_and_adds_every_cost() -> None:
    cost, best = anytime([2.0, 1.0, 0.0, 4.0, 1.0], [np.nan, 0.3, 0.5, 0.4, np.nan])
    assert cost == pytest.approx([2, 3, 3, 7, 8])
    assert np.isnan(best[0])
    assert best[1:] == pytest.approx([0.3, 0.5, 0.5, 0.5])
    assert all(part.size == 0 for part in anytime([], []))


def test_anytime_refuses_a_trial_without_cost() -> None:
    with pytest.raises(AssertionError, match="has a cost"):
        anytime([1.0, np.nan], [0.1, 0.2])
