"""The estimators against SciPy, closed forms and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.estimators.holm import holm
from analysis.estimators.superiority import probability_of_superiority, wins
from analysis.estimators.welch import difference_interval, mean_interval


@pytest.fixture
def samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.normal(0.65, 0.01, 6), rng.normal(0.63, 0.03, 9)


@pytest.mark.parametrize("level", [0.95, 0.99])
def test_welch_agrees_with_scipy(samples: tuple[np.ndarray, np.ndarray], level: float) -> None:
    a, b = samples
    ours = difference_interval(a, b, level)
    theirs = stats.ttest_ind(a, b, equal_var=False)
    interval = theirs.confidence_interval(level)
    assert ours.p_value == pytest.approx(theirs.pvalue)
    assert ours.nu == pytest.approx(theirs.df)
    assert (ours.estimate.low, ours.estimate.high) == pytest.approx((interval.low, interval.high))
    assert ours.estimate.value == pytest.approx(a.mean() - b.mean())
    assert ours.estimate.n == 6


def test_mean_interval_agrees_with_scipy(samples: tuple[np.ndarray, np.ndarray]) -> None:
    a, _ = samples
    ours = mean_interval(a)
    expected = stats.t.interval(0.95, a.size - 1, loc=a.mean(), scale=stats.sem(a))
    assert (ours.low, ours.high) == pytest.approx(expected)


def test_welch_covers_at_its_level() -> None:
    rng = np.random.default_rng(11)
    draws = [(rng.normal(0, 1, 5), rng.normal(0, 3, 5)) for _ in range(1500)]
    covered = np.mean([difference_interval(a, b).estimate.covers(0.0) for a, b in draws])
    assert 0.93 < covered < 0.975


@pytest.mark.parametrize(("a", "b"), [([0.5], [0.4, 0.6]), ([0.5, 0.5], [0.4, 0.4])])
def test_no_interval_without_spread(a: list[float], b: list[float]) -> None:
    difference = difference_interval(a, b)
    assert difference.p_value is None
    assert difference.estimate.low is None
    assert difference.estimate.covers(0.0) is None
    assert difference.estimate.within(1.0) is None


@pytest.mark.parametrize("values", [[0.5], [0.0] * 5, [0.1] * 3])
def test_a_mean_without_spread_has_no_interval(values: list[float]) -> None:
    mean = mean_interval(values)
    assert (mean.value, mean.low, mean.high) == (pytest.approx(values[0]), None, None)
    # The mean of three 0.1 is not 0.1, so that their variance is above zero.
    assert difference_interval(values, values).estimate.low is None


def test_one_sample_without_spread_still_has_an_interval() -> None:
    assert difference_interval([0.5, 0.5, 0.5], [0.4, 0.41, 0.42]).estimate.low is not None


def test_superiority_is_mann_whitney_with_ties_half() -> None:
    a, b = np.array([3.0, 2.0, 2.0, 5.0]), np.array([2.0, 1.0, 5.0])
    u = stats.mannwhitneyu(a, b).statistic
    assert float(wins(a, b)) == pytest.approx(u / 12)
    estimate = probability_of_superiority(a, b, np.random.default_rng(0))
    assert estimate.value == pytest.approx(u / 12)
    assert estimate.low is not None and estimate.low < estimate.value


def test_superiority_interval_agrees_with_scipys_bootstrap(
    samples: tuple[np.ndarray, np.ndarray],
) -> None:
    a, b = samples
    ours = probability_of_superiority(a, b, np.random.default_rng(1))
    theirs = stats.bootstrap(
        (a, b),
        lambda x, y: stats.mannwhitneyu(x, y).statistic / (x.size * y.size),
        method="percentile",
        n_resamples=2000,
        vectorized=False,
        rng=np.random.default_rng(2),
    ).confidence_interval
    assert ours.low == pytest.approx(theirs.low, abs=0.04)
    assert ours.high == pytest.approx(theirs.high, abs=0.04)


def test_superiority_is_reproducible(samples: tuple[np.ndarray, np.ndarray]) -> None:
    one, two = (probability_of_superiority(*samples, np.random.default_rng(5)) for _ in range(2))
    assert one == two


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1, made monotone.
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == pytest.approx([1.0, 1.0])
    assert holm([]).shape == (0,)
