"""Ranks, medians, shares and superiority against SciPy, statsmodels, tables and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from analysis.estimators.proportion import (
    at_least_one,
    at_least_one_interval,
    clopper_pearson,
)
from analysis.estimators.superiority import newcombe_interval, probability_of_superiority
from analysis.estimators.tuning.order_median import median_interval
from analysis.estimators.tuning.rank_fidelity import spearman


def test_spearman_is_the_correlation_of_mean_ranks() -> None:
    draw = np.random.default_rng(1)
    x = draw.integers(6, size=20).astype(float)
    y = x + draw.normal(0, 2, 20)
    ours = spearman(x, y)
    r = np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]
    assert ours.value == pytest.approx(r)
    half = 1.959964 * np.sqrt((1 + r**2 / 2) / 17)
    ends = np.tanh([np.arctanh(r) - half, np.arctanh(r) + half])
    assert (ours.low, ours.high) == pytest.approx(tuple(ends))


def test_spearman_covers_at_about_its_level() -> None:
    draw = np.random.default_rng(2)
    rho = 0.6
    # The rank correlation of a bivariate normal distribution (Pearson 1907).
    truth = 6 / np.pi * np.arcsin(rho / 2)
    covered = []
    for _ in range(2000):
        x, e = draw.normal(size=(2, 25))
        covered.append(spearman(x, rho * x + np.sqrt(1 - rho**2) * e).covers(truth))
    assert 0.935 < np.mean(covered) < 0.97


def test_spearman_of_ranks_within_groups_excludes_zero_no_more_often_than_its_level() -> None:
    draw = np.random.default_rng(9)
    excluded = np.zeros(2)
    for _ in range(800):
        x, y = (stats.rankdata(draw.normal(size=(10, 3)), axis=1).ravel() for _ in range(2))
        found = spearman(x, y, effective=10 * 2 + 1), spearman(x, y)
        excluded += [one.covers(0.0) is False for one in found]
    assert excluded[0] / 800 < 0.055 < 0.08 < excluded[1] / 800
    assert found[0].n == 30 and found[0].estimator.endswith("at an effective n of 21")
    assert spearman([1, 2, 1, 2], [2, 1, 1, 2], effective=3).low is None


@pytest.mark.parametrize(
    ("x", "y", "value"),
    [
        ([1, 2, 3], [1, 3, 2], 0.5),
        ([1, 2, 3, 4, 5], [2, 4, 6, 8, 9], 1.0),
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], -1.0),
        ([1, 1, 1, 1, 1], [5, 4, 3, 2, 1], np.nan),
        ([1], [2], np.nan),
        ([], [], np.nan),
    ],
)
def test_spearman_without_an_interval(x: list[float], y: list[float], value: float) -> None:
    ours = spearman(x, y)
    assert ours.value == pytest.approx(value, nan_ok=True)
    assert (ours.low, ours.high, ours.n) == (None, None, len(x))


@pytest.mark.parametrize(
    ("n", "ends"), [(6, (1, 6)), (8, (1, 8)), (9, (2, 8)), (20, (6, 15)), (25, (8, 18))]
)
def test_median_interval_agrees_with_the_tables(n: int, ends: tuple[int, int]) -> None:
    # Ranks of the 95 % interval as tabled for the sign test.
    ours = median_interval(np.random.default_rng(n).permutation(np.arange(1.0, n + 1)))
    assert (ours.low, ours.high) == ends
    assert ours.value == pytest.approx((n + 1) / 2)
    assert 1 - 2 * stats.binom.cdf(ends[0] - 1, n, 0.5) >= 0.95


def test_median_interval_covers_at_least_at_its_level() -> None:
    draw = np.random.default_rng(4)
    samples = draw.exponential(size=(2000, 15))
    covered = np.mean([median_interval(row).covers(np.log(2)) for row in samples])
    # The exact coverage at 15 values is 96.5 %.
    assert covered == pytest.approx(1 - 2 * stats.binom.cdf(3, 15, 0.5), abs=0.012)


def test_few_values_have_a_median_alone() -> None:
    ours = median_interval([3.0, 1.0, 2.0])
    assert (ours.value, ours.low, ours.high) == (2, None, None)
    assert "too few" in ours.estimator
    assert median_interval(np.arange(5.0), level=0.9).low == 0


def test_values_not_reached_open_the_interval_above() -> None:
    reached = [5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    some = median_interval([*reached, np.inf, np.inf])
    assert (some.value, some.low, some.high) == (8.5, 5, None)
    assert some.estimator.endswith("upper end not reached")
    half = median_interval([*reached, *[np.inf] * 8])
    assert (half.value, half.low, half.high) == (np.inf, 7, None)
    most = median_interval([*reached[:1], *[np.inf] * 9])
    assert (most.value, most.low, most.high) == (np.inf, None, None)
    assert most.estimator.endswith("neither end reached")


@pytest.mark.parametrize(("successes", "trials"), [(0, 7), (3, 7), (7, 7), (12, 340)])
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_clopper_pearson_agrees_with_statsmodels(successes: int, trials: int, level: float) -> None:
    ours = clopper_pearson(successes, trials, level)
    theirs = proportion_confint(successes, trials, alpha=1 - level, method="beta")
    assert (ours.low, ours.high) == pytest.approx(theirs)
    assert ours.value == pytest.approx(successes / trials)


def test_at_least_one_is_the_complement_of_none() -> None:
    assert at_least_one(0.1, 5) == pytest.approx(stats.binom.sf(0, 5, 0.1))
    assert at_least_one(1e-12, 3) == pytest.approx(3e-12, rel=1e-9)
    assert (at_least_one(1.0, 4), at_least_one(1.0, 0), at_least_one(0.0, 9)) == (1, 0, 0)


def test_at_least_one_of_an_interval_moves_its_ends() -> None:
    share = clopper_pearson(1, 20)
    ours = at_least_one_interval(share, 30)
    assert share.low is not None and share.high is not None
    assert ours.value == pytest.approx(1 - 0.95**30)
    assert (ours.low, ours.high) == pytest.approx(
        (1 - (1 - share.low) ** 30, 1 - (1 - share.high) ** 30)
    )
    assert (ours.n, ours.level) == (20, share.level)


def test_newcombe_agrees_with_a_published_example() -> None:
    # Estimate 0.9167 of 6 and 7 observations, as the R package SingleCaseES documents it.
    a, b = [28, 25, 24, 27, 30, 30, 29], [20, 20, 26, 25, 22, 23]
    value = probability_of_superiority(a, b, np.random.default_rng(0)).value
    assert value == pytest.approx(0.9166667, abs=1e-7)
    assert newcombe_interval(value, 7, 6) == pytest.approx((0.5973406, 0.9860176), abs=1e-4)


def test_separated_samples_get_an_interval_with_width() -> None:
    a, b = [0.8, 0.81, 0.82, 0.83, 0.84], [0.7, 0.71, 0.72, 0.73, 0.74]
    above = probability_of_superiority(a, b, np.random.default_rng(0))
    below = probability_of_superiority(b, a, np.random.default_rng(0))
    assert (above.value, above.high) == (1, 1)
    assert above.low is not None and 0.6 < above.low < 0.7
    assert "Newcombe" in above.estimator
    assert (below.low, below.high) == pytest.approx((0, 1 - above.low))
    many = probability_of_superiority(
        np.arange(50.0) + 50, np.arange(50.0), np.random.default_rng(0)
    )
    assert many.low is not None and many.low > 0.92


def test_equal_samples_get_an_interval_with_width() -> None:
    same = probability_of_superiority([0.5] * 3, [0.5] * 3, np.random.default_rng(0))
    assert same.low is not None and same.high is not None
    assert same.low < same.value == 0.5 < same.high


def test_overlapping_samples_keep_the_bootstrap() -> None:
    ours = probability_of_superiority([1.0, 3.0, 5.0], [2.0, 4.0, 0.0], np.random.default_rng(0))
    assert "bootstrap interval over units" in ours.estimator and "Newcombe" not in ours.estimator


def test_newcombe_covers_where_the_bootstrap_degenerates() -> None:
    draw = np.random.default_rng(6)
    shift = 2.5
    truth = stats.norm.cdf(shift / np.sqrt(2))
    covered = []
    while len(covered) < 400:
        a, b = draw.normal(shift, 1, 5), draw.normal(0, 1, 5)
        if a.min() > b.max():
            low, high = newcombe_interval(1.0, 5, 5)
            covered.append(low <= truth <= high)
    assert np.mean(covered) > 0.95
