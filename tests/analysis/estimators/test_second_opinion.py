"""Label permutation, BCa and McNemar against enumeration, statsmodels and simulation."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar

from analysis.estimators.pictures.mcnemar import mcnemar
from analysis.estimators.second_opinion import bca_difference, permutation_p_value


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def enumerated(a: np.ndarray, b: np.ndarray) -> float:
    """Twice the smaller tail over every split of the labels, by hand."""
    pooled, observed = np.concatenate([a, b]), a.mean() - b.mean()
    differences = []
    for chosen in combinations(range(pooled.size), a.size):
        mask = np.isin(np.arange(pooled.size), chosen)
        differences.append(pooled[mask].mean() - pooled[~mask].mean())
    table = np.array(differences)
    above, below = (table >= observed - 1e-12).mean(), (table <= observed + 1e-12).mean()
    return min(1.0, 2 * min(above, below))


@pytest.mark.parametrize(("n", "m"), [(4, 4), (5, 5), (3, 6)])
def test_permutation_is_exact_in_small_samples(n: int, m: int) -> None:
    a, b = rng(n).normal(0.6, 1, n), rng(m + 10).normal(0, 1, m)
    assert permutation_p_value(a, b, rng()) == pytest.approx(enumerated(a, b))
    assert permutation_p_value(a, b, rng(1)) == permutation_p_value(a, b, rng(2))


def test_permutation_of_separated_samples_is_one_split_on_each_side() -> None:
    assert permutation_p_value([4.0, 5.0, 6.0], [1.0, 2.0, 3.0], rng()) == pytest.approx(2 / 20)


def test_drawn_splits_come_near_the_exact_answer() -> None:
    a, b = rng(1).normal(0.7, 1, 6), rng(2).normal(0, 1, 6)
    drawn = permutation_p_value(a, b, rng(), resamples=900)
    assert drawn is not None
    assert drawn == pytest.approx(enumerated(a, b), abs=0.06)
    assert drawn != permutation_p_value(a, b, rng(1), resamples=900)


def test_permutation_holds_its_level() -> None:
    draw = rng(5)
    p = [permutation_p_value(draw.random(5), draw.random(5), draw) for _ in range(1000)]
    # 12 of 252 splits have p <= 0.05: the nominal rate is 4.8 %.
    assert 0.03 < np.mean(np.array(p, dtype=float) <= 0.05) < 0.067


def test_a_sample_of_one_has_neither() -> None:
    assert permutation_p_value([1.0], [1.0, 2.0, 3.0], rng()) is None
    assert bca_difference([1.0], [1.0, 2.0, 3.0], rng()).low is None


def test_bca_agrees_with_the_formula() -> None:
    a, b = rng(3).exponential(1, 12), rng(4).normal(0, 1, 9)
    ours = bca_difference(a, b, rng(), resamples=20_000)
    draw = rng(99)
    resampled = draw.choice(a, (20_000, 12)).mean(axis=1) - draw.choice(b, (20_000, 9)).mean(axis=1)
    z0 = stats.norm.ppf((resampled < a.mean() - b.mean()).mean())
    # Acceleration from the influence of each unit on its own mean (Efron 1987).
    influence = [(a - a.mean()) / a.size, -(b - b.mean()) / b.size]
    cubes, squares = (sum(float((u**k).sum()) for u in influence) for k in (3, 2))
    acceleration = cubes / (6 * squares**1.5)
    z = z0 + stats.norm.ppf([0.025, 0.975])
    low, high = np.quantile(resampled, stats.norm.cdf(z0 + z / (1 - acceleration * z)))
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.03)
    assert ours.value == pytest.approx(a.mean() - b.mean())
    assert ours.n == 9
    assert ours == bca_difference(a, b, rng(), resamples=20_000)


@pytest.mark.parametrize(
    ("a", "b"), [([0.5, 0.5, 0.5], [0.4, 0.4]), ([0.1, 0.1], [0.1, 0.1]), ([0.5], [0.5])]
)
def test_bca_without_spread_has_no_interval(a: list[float], b: list[float]) -> None:
    estimate = bca_difference(a, b, rng())
    assert (estimate.low, estimate.high) == (None, None)
    assert estimate.value == pytest.approx(a[0] - b[0])


def test_bca_that_scipy_calls_degenerate_has_no_interval() -> None:
    # Where all resamples fall on one side of the estimate there is no bias to correct for.
    estimates = [bca_difference([1, 2, 4], [0, 1, 3], rng(s), resamples=2) for s in range(8)]
    none = [estimate.low is None for estimate in estimates]
    assert any(none) and not all(none)


def test_bca_of_one_constant_sample_has_an_interval() -> None:
    estimate = bca_difference([0.5, 0.5, 0.5], [0.4, 0.42, 0.45, 0.41], rng())
    assert estimate.low is not None and estimate.high is not None
    assert estimate.low < estimate.value < estimate.high


def test_mcnemar_agrees_with_statsmodels() -> None:
    right_a, right_b = rng(7).random(300) < 0.7, rng(8).random(300) < 0.6
    ours = mcnemar(right_a, right_b)
    table = [[ours.both, ours.only_a], [ours.only_b, ours.neither]]
    assert ours.p_value == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)
    assert ours.both + ours.only_a == right_a.sum()
    assert ours.both + ours.only_b == right_b.sum()
    assert sum(sum(row) for row in table) == 300


def test_mcnemar_by_hand() -> None:
    # Five pictures, all won by a: 2 * (1/2)^5.
    ours = mcnemar(np.ones(5, dtype=bool), np.zeros(5, dtype=bool))
    assert (ours.only_a, ours.only_b, ours.p_value) == (5, 0, pytest.approx(2 / 32))
    same = np.array([True, False, True])
    assert mcnemar(same, same).p_value == 1.0


def test_mcnemar_refuses_class_numbers() -> None:
    with pytest.raises(AssertionError, match="truth value"):
        mcnemar(np.array([1, 0]), np.array([1, 1]))
